//! What the system knows of this process and of its disk.

use std::fs;
use std::path::Path;

/// Bytes of memory that the process has in RAM; nothing where the system does not say.
pub(super) fn resident_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

/// The line `VmRSS:     1234 kB` (see `proc_pid_status(5)`); the unit is 1,024 bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// Bytes that this process may still write to the disk that a path is on.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_tells_what_is_free() {
        assert!(free_bytes(Path::new("/")).is_some());
        assert_eq!(free_bytes(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn resident_memory_is_read_from_the_line_that_tells_it() {
        assert_eq!(resident("Name:\tkvs\nVmRSS:\t    1234 kB\nThreads:\t3\n"), Some(1234 * 1024));
        assert_eq!(resident("Name:\tkvs\n"), None);
    }
}
