//! A connection with TLS.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{Requests, Tracked};
use crate::accounts::Certificate;
use crate::server::Tls;

/// Serves the requests that come on `stream`. Whoever does not finish the handshake in time, or speaks
/// no TLS, is not answered.
pub(super) async fn serve(
    tls: Tls,
    builder: Arc<Builder<Tracked>>,
    stream: TcpStream,
    requests: Requests,
    leaving: CancellationToken,
    patience: Duration,
) {
    // First: what changes while the client shows itself counts as a change.
    let mut changes = tls.changes();
    let accepting = tls.acceptor().accept(stream);
    let Ok(Ok(stream)) = tokio::time::timeout(patience, accepting).await else { return };
    let certificate = shown(&tls, &stream);
    let is_known = certificate.is_some();
    let requests = requests.of_client(certificate);
    let serving = super::serve(builder, stream, requests, leaving.clone(), patience);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        () = serving.as_mut() => return,
        // Whom other files would not let in must come again to learn so; the others may stay.
        Ok(()) = changes.changed(), if is_known => leaving.cancel(),
    }
    serving.await;
}

fn shown(tls: &Tls, stream: &TlsStream<TcpStream>) -> Option<Certificate> {
    let (_, session) = stream.get_ref();
    Some(tls.whose(session.peer_certificates()?.first()?))
}
