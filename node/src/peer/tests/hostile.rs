//! The other side without our client's manners.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::site::{Site, in_time};
use crate::peer::Credentials;
use crate::peer::tls::stranger;
use crate::server::Tracked;

/// Sends these bytes and reads whatever comes until the other side hangs up.
pub(super) async fn send(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    in_time(async {
        // The other side may hang up before it has read all.
        let _ = stream.write_all(bytes).await;
        let _ = stream.read_to_end(&mut answer).await;
    })
    .await;
    answer
}

/// Settings that show these credentials and believe anybody.
pub(super) fn gullible(credentials: &Credentials) -> ClientConfig {
    let mut config = ClientConfig::clone(&stranger().unwrap());
    config.client_auth_cert_resolver = credentials.connecting().client_auth_cert_resolver.clone();
    config
}

pub(super) async fn tls(
    address: SocketAddr,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("peer.invalid").unwrap();
    in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A connection that sends what it is told to.
pub(super) struct Rude(SendRequest<Body>);

impl Rude {
    pub(super) async fn connect(site: &Site, credentials: &Credentials) -> Self {
        let stream = tls(site.address, gullible(credentials)).await.unwrap();
        let executor = Tracked::new(site.tasks.clone(), site.shutdown.clone());
        let builder = Builder::new(executor);
        let (send, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        site.tasks.spawn(site.shutdown.clone().run_until_cancelled_owned(connection));
        Self(send)
    }

    /// A request and the status and body of what comes back.
    pub(super) async fn ask(&mut self, method: Method, path: &str, body: Body) -> (u16, String) {
        let request = Request::builder().method(method).uri(format!("https://peer{path}"));
        let asking = self.0.send_request(request.body(body).unwrap());
        let response = in_time(asking).await.unwrap();
        let status = response.status().as_u16();
        let body = in_time(response.into_body().collect()).await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// A body that announces its length.
pub(super) fn announced(length: usize) -> Body {
    Full::new(Bytes::from(vec![0xff; length])).boxed_unsync()
}

/// A body of pieces that does not.
pub(super) fn pieces(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures_util::StreamExt as _;
    StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync()
}

/// A `ClientHello` of TLS 1.2: no extension says that more is understood.
pub(super) fn tls12_hello() -> Vec<u8> {
    let mut hello = vec![0x03, 0x03];
    hello.extend([0x5a; 32]);
    hello.push(0);
    hello.extend([0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f]);
    hello.extend([0x01, 0x00]);
    let groups = [0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17];
    let points = [0x00, 0x0b, 0x00, 0x02, 0x01, 0x00];
    let signatures = [0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03];
    let extensions = [groups.as_slice(), &points, &signatures].concat();
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let length = u16::try_from(hello.len()).unwrap();
    let handshake = [&[0x01, 0x00][..], &length.to_be_bytes(), &hello].concat();
    let length = u16::try_from(handshake.len()).unwrap();
    [&[0x16, 0x03, 0x01][..], &length.to_be_bytes(), &handshake].concat()
}
