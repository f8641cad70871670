//! Backups of the node.

use reqwest::Method;

use super::Client;
use crate::{BackupStarted, BackupStatus, Backups, ClientError};

impl Client {
    /// The backups that are where the node keeps its own.
    ///
    /// # Errors
    /// When the caller may not see them, or the place cannot be read.
    pub async fn backups(&self) -> Result<Backups, ClientError> {
        self.call(self.request(Method::GET, self.route("api/backups"))).await
    }

    /// Has a backup made. Its progress is in [`Client::backup_status`].
    ///
    /// # Errors
    /// When one is being made already, or the node is not caught up.
    pub async fn create_backup(&self) -> Result<BackupStarted, ClientError> {
        self.call(self.request(Method::POST, self.route("api/backups"))).await
    }

    /// Deletes a backup.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn delete_backup(&self, name: &str) -> Result<(), ClientError> {
        let mut url = self.route("api/backups");
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(name);
        }
        self.send(self.request(Method::DELETE, url)).await.map(drop)
    }

    /// Whether a backup is being made, and what became of the last ones.
    ///
    /// # Errors
    /// When the caller may not know.
    pub async fn backup_status(&self) -> Result<BackupStatus, ClientError> {
        self.call(self.request(Method::GET, self.route("api/backup/status"))).await
    }
}
