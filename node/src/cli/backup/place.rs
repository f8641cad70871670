//! A backup that is named on the command line.

use std::path::Path;
use std::sync::Arc;

use kvs_config::{BackupTarget, Settings};
use tokio::runtime::{Builder, Runtime};

use crate::backup::BackupName;
use crate::backup::shelf::{self, Shelf};
use crate::cli::Failure;

/// A backup and where it lies.
pub(super) struct Place {
    pub(super) shelf: Arc<dyn Shelf>,
    pub(super) name: BackupName,
    /// What goes over the network is carried out here, while the command waits.
    _runtime: Runtime,
}

impl Place {
    /// The backup that a file, or `s3://bucket/prefix/file`, is part of.
    pub(super) fn of(text: &str, settings: &Settings) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (folder, file) = split(text);
        let name = [BackupName::of_archive(file), BackupName::of_manifest(file)];
        let name = name.into_iter().flatten().next().or_else(|| BackupName::parse(file));
        let name = name.ok_or_else(|| {
            Failure::new(format!(
                "{text} is no backup: name NAME.tar.zst, with NAME.manifest.json beside it"
            ))
        })?;
        let target: BackupTarget =
            folder.parse().map_err(|error| Failure::new(format!("{folder}: {error}")))?;
        let shelf = shelf::at(&target, settings, runtime.handle().clone());
        let shelf = shelf.map_err(|error| Failure::of(&error))?;
        Ok(Self { shelf, name, _runtime: runtime })
    }
}

/// The folder and the file in it.
fn split(text: &str) -> (&str, &str) {
    if text.starts_with("s3://") {
        return text.rsplit_once('/').unwrap_or((text, ""));
    }
    let path = Path::new(text);
    let folder = path.parent().and_then(Path::to_str).filter(|folder| !folder.is_empty());
    (folder.unwrap_or("."), path.file_name().and_then(|file| file.to_str()).unwrap_or_default())
}
