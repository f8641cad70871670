//! The real program, on a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;

use kvs_client::Client;
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{self, DEADLINE};

/// What the line begins with that says where a node answers.
const READY: &str = " is ready at ";

/// A setting with which files are written, merged and removed while a test runs.
pub(crate) const SMALL_FILES: &str = "write_buffer: 4MiB\n";

const SETTINGS: &str = "\
port: 0
data_dir: data
auth_enabled: false
block_cache: 8MiB
digest_leaves: 65536
disk_reserve: 16MiB
";

/// A folder with a configuration and a data directory.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Home {
    /// A fresh one, with `settings` (lines of YAML) beside the usual ones.
    pub(crate) fn new(settings: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let home = Self::at(temporary.path(), settings);
        Self { _temporary: Some(temporary), ..home }
    }

    /// One in a folder that is there.
    pub(crate) fn at(folder: &Path, settings: &str) -> Self {
        fs::create_dir_all(folder.join("data")).unwrap();
        fs::write(folder.join("config.yaml"), format!("{SETTINGS}{settings}")).unwrap();
        Self { folder: folder.to_owned(), _temporary: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The command that runs a node here.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvs"));
        command.arg("run").arg(self.folder.join("config.yaml"));
        command.env("HOME", &self.folder).current_dir(&self.folder);
        command
    }

    /// A node that runs and answers.
    ///
    /// # Panics
    ///
    /// It does not start.
    pub(crate) fn start(&self) -> Process {
        Process::start(self.command())
    }

    /// What a node says that does not start, and its exit code.
    ///
    /// # Panics
    ///
    /// It does start.
    pub(crate) fn refusal(&self) -> (Option<i32>, String) {
        let mut process = Process::spawn(self.command());
        assert_eq!(process.url(), None, "the node started");
        (process.ended().code(), process.said().to_owned())
    }
}

/// A node that runs; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    url: String,
    lines: Receiver<String>,
    said: String,
}

impl Process {
    /// Starts a node and waits until it answers.
    pub(crate) fn start(command: Command) -> Self {
        let mut process = Self::spawn(command);
        let url = process.url();
        process.url = url.unwrap_or_else(|| panic!("the node did not start: {}", process.said));
        process
    }

    /// Starts a node and waits for nothing.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, lines) = mpsc::channel();
        listen(child.stdout.take().unwrap(), said.clone());
        listen(child.stderr.take().unwrap(), said);
        Self { child, url: String::new(), lines, said: String::new() }
    }

    /// Where it answers, once it does; nothing if it ends instead.
    fn url(&mut self) -> Option<String> {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => {
                    self.hear(&line);
                    if let Some((_, url)) = line.split_once(READY) {
                        return Some(url.to_owned());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no answer, but: {}", self.said),
            }
        }
    }

    fn hear(&mut self, line: &str) {
        self.said.push_str(line);
        self.said.push('\n');
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, None).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far.
    pub(crate) fn said(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.hear(&line);
        }
        &self.said
    }

    /// Ends it with `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with SIGTERM; answers all it printed.
    ///
    /// # Panics
    ///
    /// It does not end, or not well.
    pub(crate) fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.ended();
        assert!(status.success(), "the node stopped with {status}: {}", self.said());
        self.said().to_owned()
    }

    fn ended(&mut self) -> ExitStatus {
        wait::until("the node ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(pipe: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Whoever listened is gone; the pipe is still to be emptied.
            let _ = lines.send(line);
        }
    });
}
