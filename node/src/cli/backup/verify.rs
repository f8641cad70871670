//! `kvs backup verify`.

use clap::Args;
use kvs_client::cluster_file::FileError;
use kvs_config::Settings;

use super::place::Place;
use crate::backup::{self, CatalogError, Progress, RestoreError};
use crate::cli::{Done, Failure, output, progress, time};

/// Compare every hash of a backup with its manifest; no node is needed.
#[derive(Debug, Args)]
#[command(after_help = "\
The S3 of s3://… is found by AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY.

Example:
  kvs backup verify backups/kvs-0123456789ab-20261123T030000000Z.tar.zst")]
pub(super) struct Verify {
    /// The backup: NAME.tar.zst with NAME.manifest.json beside it, or `s3://bucket/prefix/NAME.tar.zst`
    #[arg(value_name = "FILE")]
    backup: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Self::of(&error)
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::ClusterFile(error) => FileError::into(error),
            error => Self::of(&error),
        }
    }
}

impl Verify {
    pub(super) fn run(self) -> Done {
        let place = Place::of(&self.backup, &Settings::default())?;
        let progress = Progress::default();
        let verify = || backup::verify(&*place.shelf, &place.name, &progress);
        let manifest = progress::during(&progress, verify)?;
        if self.json {
            return output::json(&manifest);
        }
        let (name, records, at) = (&manifest.name, manifest.records, time::utc(manifest.created));
        output::line(format_args!("{name} is whole: {records} records as of {at}"))
    }
}
