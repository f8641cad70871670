//! The socket in the data directory: whoever can open it owns the data, and is asked nothing else.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::ACCEPT_PAUSE;

/// The socket's name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// Listens at a path that nobody but the owner can open, at no instant: the socket is made where
/// nobody else can look, and moved to its place when it is theirs alone.
///
/// # Errors
///
/// The path is too long for a socket (107 bytes), or the system refuses.
pub(super) fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let hidden = data_dir.join(".sock");
    let _absent = fs::remove_dir_all(&hidden);
    DirBuilder::new().mode(0o700).create(&hidden)?;
    let unready = hidden.join("s");
    let listener = UnixListener::bind(&unready)?;
    fs::set_permissions(&unready, Permissions::from_mode(0o600))?;
    // What an earlier run left there is replaced: the directory is held by this process.
    fs::rename(&unready, data_dir.join(SOCKET))?;
    fs::remove_dir(hidden)?;
    Ok(listener)
}

/// Hands every connection to `begin`, until `shutdown`; then removes the socket.
pub(super) async fn accept_until(
    data_dir: &Path,
    begin: impl Fn(UnixStream),
    shutdown: &CancellationToken,
) {
    let listener = match listen(data_dir) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "no {SOCKET}: who owns the data cannot administer without a token");
            return;
        }
    };
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _address)) => begin(stream),
            Err(error) => {
                tracing::debug!(%error, "a connection to {SOCKET} cannot be accepted");
                shutdown.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
    // A stale one tells clients the same.
    let _gone = fs::remove_file(data_dir.join(SOCKET));
}
