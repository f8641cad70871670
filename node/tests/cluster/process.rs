//! The real program, run in the foreground.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use kvs_client::Client;
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A node that runs; killed when dropped. If a test fails, it prints what it said.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
}

impl Process {
    /// Starts a node that is to answer at `address`, and waits for nothing.
    pub(crate) fn spawn(mut command: Command, address: SocketAddr) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::default());
        listen(child.stdout.take().unwrap(), &said);
        listen(child.stderr.take().unwrap(), &said);
        Self { child, address, said }
    }

    /// Where it answers clients.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url(), None).unwrap()
    }

    /// Everything it printed so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it said all these words in one line.
    pub(crate) async fn says<const N: usize>(&self, words: [&str; N]) -> String {
        let has = |line: &&str| words.iter().all(|word| line.contains(word));
        let what = format!("{} says {words:?}", self.address);
        wait::until(&what, async || self.said().lines().find(has).map(str::to_owned)).await.0
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
    pub(crate) async fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.ended().await;
        assert!(status.success(), "the node stopped with {status}");
        self.said()
    }

    /// Ends it with SIGTERM, which may come before it attends to signals: then it is just gone.
    ///
    /// # Panics
    ///
    /// It does not end, or not well.
    pub(crate) async fn stop_at_any_time(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.ended().await;
        let too_early = status.signal() == Some(Signal::TERM.as_raw()) && self.said().is_empty();
        assert!(status.success() || too_early, "the node stopped with {status}: {}", self.said());
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        wait::until("the node ends", async || self.child.try_wait().unwrap()).await.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!("=== {} said:\n{}", self.address, self.said());
        }
    }
}

fn listen(pipe: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = said.clone();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}
