//! One HTTP/1.1 connection, kept alive and driven by whoever uses it.
//!
//! All servers that speak HTTP are measured through this one client. The connection is polled
//! in the task that waits for the answer: no second task, no waking across tasks, so that the
//! client takes little of the machine that it shares with the server.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{self, Connection, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::TargetError;

/// How much of an unexpected answer is worth telling.
const TOLD: usize = 300;

type Driver = Pin<Box<Connection<TokioIo<TcpStream>, Full<Bytes>>>>;

/// A connection to an HTTP server.
#[derive(Debug)]
pub struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

/// Status, headers and body of an answer.
pub(super) type Answer = hyper::Response<Bytes>;

impl HttpConnection {
    /// Connects; `TCP_NODELAY` is set, as every client measured here does.
    pub async fn connect(address: SocketAddr) -> Result<Self, TargetError> {
        let stream =
            dial(address).await.map_err(|source| TargetError::Connect { address, source })?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let host = HeaderValue::try_from(address.to_string()).expect("an address is printable");
        Ok(Self { sender, driver: Box::pin(driver), host, authorization: None })
    }

    /// Shows this token with every request from here on.
    pub(super) fn show(&mut self, token: Option<&str>) {
        let header = |token| HeaderValue::try_from(format!("Bearer {token}"));
        self.authorization = token.map(|token| header(token).expect("a token is printable"));
    }

    /// Asks for `path` and returns the answer, of whatever status.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, TargetError> {
        let request = self.request(method, path, body);
        let Self { sender, driver, .. } = self;
        let exchange = async {
            sender.ready().await?;
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok(Answer::from_parts(head, body.collect().await?.to_bytes()))
        };
        drive(exchange, driver).await
    }

    /// The body of a successful answer.
    pub async fn succeed(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, TargetError> {
        let answer = self.ask(method, path, body).await?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(refused(answer.status(), answer.body()))
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("keys of a workload need no escaping");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }
}

async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn refused(status: StatusCode, body: &[u8]) -> TargetError {
    let told = &body[..body.len().min(TOLD)];
    TargetError::Status { status, body: String::from_utf8_lossy(told).into_owned() }
}

/// Waits for `exchange` while moving the connection on.
async fn drive(
    exchange: impl Future<Output = Result<Answer, TargetError>>,
    driver: &mut Driver,
) -> Result<Answer, TargetError> {
    let mut exchange = pin!(exchange);
    poll_fn(|context| {
        if let Poll::Ready(answer) = exchange.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        let ended = advance(driver, context);
        match (exchange.as_mut().poll(context), ended) {
            (Poll::Pending, Some(error)) => Poll::Ready(Err(error)),
            (state, _) => state,
        }
    })
    .await
}

/// Moves the connection on; says why if it has ended.
fn advance(driver: &mut Driver, context: &mut Context<'_>) -> Option<TargetError> {
    match driver.as_mut().poll(context) {
        Poll::Pending => None,
        Poll::Ready(Ok(())) => Some(TargetError::Closed),
        Poll::Ready(Err(error)) => Some(error.into()),
    }
}
