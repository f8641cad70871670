//! Somebody who may read and write on a node that asks who calls.

use std::{io, path::Path, time::Duration};

use tokio::{
    process::Command,
    time::{Instant, sleep},
};

/// The prefix of all keys of a workload.
const PREFIX: &str = "bench";

/// How long the first accounts may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Makes a user with the scopes of a plain client, gives the prefix of all keys a mode, and answers
/// the user's token. Asks as the owner of the data, by the node's socket.
pub(super) async fn admit(kvs: &Path, data: &Path) -> io::Result<String> {
    let server = format!("unix:{}", data.join("admin.sock").display());
    let run = async |arguments: &[&str]| {
        let output = Command::new(kvs).args(arguments).args(["--server", &server]).output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    };
    let deadline = Instant::now() + WITHIN;
    let user = ["user", "create", PREFIX, "--scope", "read", "--scope", "write"];
    while let Err(error) = run(&user).await {
        if Instant::now() > deadline {
            return Err(error);
        }
        sleep(Duration::from_millis(50)).await;
    }
    run(&["chmod", "cdwr--wr---r", PREFIX]).await?;
    run(&["chown", PREFIX, PREFIX]).await?;
    run(&["token", "create", "--user", PREFIX, "--ttl", "24h"]).await
}
