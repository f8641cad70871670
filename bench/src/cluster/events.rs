use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::target::TargetError;

/// The changes below a prefix, as a node tells them while they happen (`_changes` as a stream of
/// events).
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    buffer: BytesMut,
    /// Ends with this.
    _connection: JoinSet<()>,
}

impl Events {
    /// Follows what happens below `prefix` from now on.
    pub async fn below(prefix: &str, address: SocketAddr) -> Result<Self, TargetError> {
        let failed = |source| TargetError::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driving = JoinSet::new();
        driving.spawn(async move { drop(connection.await) });
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = format!("/kv/{prefix}/_changes").parse().expect("a prefix is a path");
        let host = address.to_string().parse().expect("an address is printable");
        request.headers_mut().insert(HOST, host);
        request.headers_mut().insert(ACCEPT, "text/event-stream".parse().expect("it is ASCII"));
        let answer = sender.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(TargetError::Status { status: answer.status(), body: String::new() });
        }
        let (body, buffer) = (answer.into_body(), BytesMut::new());
        let mut events = Self { body, buffer, _connection: driving };
        // The first block says where the stream begins: it is open.
        events.more().await?;
        Ok(events)
    }

    /// The numbers that the keys of the next changes end in.
    pub async fn next(&mut self) -> Result<Vec<u64>, TargetError> {
        loop {
            let numbers = self.take_lines();
            if !numbers.is_empty() {
                return Ok(numbers);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), TargetError> {
        let frame = self.body.frame().await.ok_or(TargetError::Closed)??;
        self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
        Ok(())
    }

    fn take_lines(&mut self) -> Vec<u64> {
        let Some(end) = self.buffer.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let lines = self.buffer.split_to(end + 1);
        String::from_utf8_lossy(&lines).lines().filter_map(number_of).collect()
    }
}

fn number_of(line: &str) -> Option<u64> {
    let data = line.strip_prefix("data: ")?;
    let key = data.split_once("\"key\":\"")?.1.split_once('"')?.0;
    key.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_data_names_its_key() {
        assert_eq!(number_of(r#"data: {"op":"put","key":"seen/00000042","x":1}"#), Some(42));
        assert_eq!(number_of("id: 1-2"), None);
        assert_eq!(number_of(r#"data: {"key":"seen/other"}"#), None);
    }
}
