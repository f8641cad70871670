//! What the figures were measured on.

use std::{fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};

use crate::number::bytes;

/// The machine, as a reader of the figures needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's own name.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory, with its unit.
    pub memory: String,
    /// The kernel's release.
    pub kernel: String,
    /// The distribution.
    pub system: String,
}

impl Machine {
    /// The machine that this runs on.
    pub fn here() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            cpu: value_of(&read("/proc/cpuinfo"), "model name", ':'),
            cores,
            memory: memory(&read("/proc/meminfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: value_of(&read("/etc/os-release"), "PRETTY_NAME", '='),
        }
    }
}

/// The value of `name` in lines of `name: value`.
fn value_of(text: &str, name: &str, mark: char) -> String {
    let found = text.lines().find_map(|line| {
        let (before, after) = line.split_once(mark)?;
        (before.trim() == name).then(|| after.trim().trim_matches('"').to_owned())
    });
    found.unwrap_or_else(|| "unknown".to_owned())
}

fn memory(meminfo: &str) -> String {
    let total = value_of(meminfo, "MemTotal", ':');
    let kibibytes = total.trim_end_matches("kB").trim().parse::<f64>();
    kibibytes.map_or(total, |kibibytes| bytes(kibibytes * 1024.0))
}

/// The type of the filesystem that holds `folder`, and its device.
pub fn filesystem(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_gone| folder.to_owned());
    filesystem_of(&mounts, &folder)
}

/// The innermost mount point decides; of two at one place, the later.
fn filesystem_of(mounts: &str, folder: &Path) -> String {
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        folder.starts_with(point).then(|| (point.len(), format!("{kind} on {device}")))
    });
    holding.max_by_key(|(length, _)| *length).map_or_else(|| "unknown".into(), |(_, kind)| kind)
}

/// Bytes of memory that a process holds, of those that the kernel counts as resident.
pub fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kibibytes = value_of(&status, "VmRSS", ':');
    kibibytes.trim_end_matches("kB").trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// How many processes wanted a processor at once, as a mean over the last minute.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// What a command prints in its first line, or nothing if it cannot be run.
pub fn first_line(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Now, as the machine's `date` says it.
pub fn date() -> String {
    first_line("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::here();
        assert!(machine.cores > 0);
        assert!(machine.memory.ends_with("iB"), "{}", machine.memory);
    }

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n";
        assert_eq!(filesystem_of(mounts, Path::new("/dev/shm/x")), "tmpfs on tmpfs");
        assert_eq!(filesystem_of(mounts, Path::new("/root/x")), "ext4 on /dev/vda");
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 1 << 16));
    }

    #[test]
    fn a_command_that_is_not_there_says_nothing() {
        assert_eq!(first_line("/nowhere/program", &[]), None);
    }
}
