//! A file that is read, and may be any.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::{ArchiveError, END, LONGEST, Trailer, damaged, failed};

/// A file that is read and may have been cut.
pub(super) struct Cut<'a> {
    pub(super) path: &'a Path,
    pub(super) file: BufReader<File>,
}

impl Cut<'_> {
    fn take(&mut self, length: usize) -> Result<Vec<u8>, ArchiveError> {
        if length > LONGEST {
            return Err(damaged(self.path, "a length in it is impossible"));
        }
        let mut bytes = vec![0; length];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(damaged(self.path, "it ends too early"))
            }
            Err(error) => Err(failed(self.path)(error)),
        }
    }

    pub(super) fn expect(&mut self, bytes: &[u8], otherwise: &str) -> Result<(), ArchiveError> {
        self.seek(SeekFrom::Start(0))?;
        let found = self.take(bytes.len())?;
        if found == bytes { Ok(()) } else { Err(damaged(self.path, otherwise)) }
    }

    pub(super) fn sized(&mut self) -> Result<Vec<u8>, ArchiveError> {
        let length = self.take(4)?;
        let length = length.try_into().map_or(u32::MAX, u32::from_be_bytes);
        self.take(length as usize)
    }

    pub(super) fn json<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T, ArchiveError> {
        let bytes = self.sized()?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(self.path, &error.to_string()))
    }

    pub(super) fn trailer(&mut self) -> Result<Trailer, ArchiveError> {
        let tail = i64::try_from(4 + END.len()).unwrap_or_default();
        self.seek(SeekFrom::End(-tail))?;
        let length = self.take(4)?.try_into().map_or(u32::MAX, u32::from_be_bytes);
        if self.take(END.len())? != END {
            return Err(damaged(self.path, "its end is missing"));
        }
        self.seek(SeekFrom::End(-tail - i64::from(length)))?;
        let bytes = self.take(length as usize)?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(self.path, &error.to_string()))
    }

    pub(super) fn seek(&mut self, to: SeekFrom) -> Result<(), ArchiveError> {
        self.file
            .seek(to)
            .map(drop)
            .map_err(|_before_its_start| damaged(self.path, "it is too short"))
    }
}
