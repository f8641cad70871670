//! How fast the disk alone makes a small write durable.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use rustix::fs::fdatasync;
use tokio::time::Instant;

use crate::number::float;

/// Bytes appended before each sync: about one record with its value.
const APPENDED: [u8; 512] = [b'x'; 512];

/// Syncs a second of a log that grows in `folder`, one after another, measured for `length`.
///
/// No store that syncs once per write can be faster than this; one that gathers writes can.
pub fn syncs_per_second(folder: &Path, length: Duration) -> io::Result<f64> {
    let file = tempfile::tempfile_in(folder)?;
    let start = Instant::now();
    let mut syncs = 0_u64;
    while start.elapsed() < length {
        append(&file)?;
        syncs += 1;
    }
    Ok(float(syncs) / start.elapsed().as_secs_f64())
}

fn append(mut file: &File) -> io::Result<()> {
    file.write_all(&APPENDED)?;
    Ok(fdatasync(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_written_has_a_rate() {
        let folder = tempfile::tempdir().expect("a folder is to be had");
        let rate = syncs_per_second(folder.path(), Duration::from_millis(5));
        assert!(rate.is_ok_and(|rate| rate > 0.0));
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(syncs_per_second(Path::new("/nowhere"), Duration::ZERO).is_err());
    }
}
