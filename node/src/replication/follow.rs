//! Following a peer's log, and being followed.
//!
//! A request is the asker's pulse and its cursor. Each message of the answer is a frame behind the
//! byte [`FRAME`], or, as the only one, a refusal behind [`REFUSED`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use kvs_core::agreement::Pulse;
use kvs_core::engine::{Cursor, Gate, MESSAGE_BYTES};
use kvs_core::wire::{Answer, Frame, Parcel, Refusal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::driver::{Job, StreamId};
use super::observed::Follower;
use super::{Links, outgoing};
use crate::node::Node;
use crate::peer::{self, PeerError, PeerRoute};
use crate::replication::Standing;
use crate::store::StoreError;

const FRAME: u8 = 0;
const REFUSED: u8 = 1;

/// How often a stream says that it is alive, and how far its log goes.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Follows a peer's log from `cursor` and hands its frames to the engine, until it ends.
pub async fn follow(
    links: Arc<Links>,
    stream: StreamId,
    cursor: Cursor,
    pulse: Pulse,
    jobs: mpsc::Sender<Job>,
) {
    let why = match read(&links, stream, cursor, pulse, &jobs).await {
        Ok(refusal) => refusal.ok_or_else(|| "it ended".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    // An engine that has ended needs no news.
    let _ = jobs.send(Job::Ended { stream, why }).await;
}

async fn read(
    links: &Links,
    stream: StreamId,
    cursor: Cursor,
    pulse: Pulse,
    jobs: &mpsc::Sender<Job>,
) -> Result<Option<Refusal>, PeerError> {
    let link = links.own(stream.peer).await?;
    let mut messages = link.open(PeerRoute::Stream, request(pulse, cursor)).await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let malformed = || PeerError::Malformed("a message of a log".into());
        let (kind, content) = message.split_first().ok_or_else(malformed)?;
        match *kind {
            FRAME => {
                let frame = Box::new(Frame::decode(content).map_err(|_wire| malformed())?);
                if jobs.send(Job::Frame { stream, frame }).await.is_err() {
                    return Ok(None);
                }
            }
            REFUSED => match Answer::decode(content) {
                Ok(Answer::Refused(refusal)) => return Ok(Some(refusal)),
                _ => return Err(malformed()),
            },
            _ => return Err(malformed()),
        }
    }
    Ok(None)
}

fn request(pulse: Pulse, cursor: Cursor) -> Bytes {
    let mut bytes = <[u8; 32]>::from(pulse).to_vec();
    bytes.extend(cursor.encode());
    bytes.into()
}

/// Reads what [`follow`] sends first.
fn read_request(bytes: &[u8]) -> Option<(Pulse, Cursor)> {
    let (pulse, cursor) = bytes.split_first_chunk::<32>()?;
    Some((Pulse::from(*pulse), Cursor::decode(cursor).ok()?))
}

/// What a node is sent that follows this node's log.
pub fn followed(
    node: Arc<Node>,
    standing: watch::Receiver<Standing>,
    follower: Follower,
    request: &[u8],
) -> Result<BoxStream<'static, Result<Bytes, peer::Refusal>>, peer::Refusal> {
    let malformed = || peer::Refusal::new(400, "malformed", "that is no pulse and cursor");
    let (pulse, cursor) = read_request(request).ok_or_else(malformed)?;
    let gate = standing.borrow().gate;
    if let Err(refusal) = gate.pass(&pulse) {
        let mut message = vec![REFUSED];
        message.extend(Answer::Refused(refusal).encode());
        return Ok(stream::iter([Ok(Bytes::from(message))]).boxed());
    }
    let position = node.log_position(cursor);
    let committed = node.writer().committed();
    // The first beat comes at once: it says that the stream stands.
    let outgoing = Outgoing { node, standing, follower, committed, position, beat: Instant::now() };
    Ok(stream::try_unfold(outgoing, Outgoing::next).boxed())
}

/// A follower's place in this node's log.
struct Outgoing {
    node: Arc<Node>,
    standing: watch::Receiver<Standing>,
    follower: Follower,
    committed: watch::Receiver<u64>,
    position: u64,
    /// When the next frame is due although nothing happened.
    beat: Instant,
}

impl Outgoing {
    /// The next frame: at once if there is something new, else when there is, or at the next beat.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, peer::Refusal> {
        // The message before was taken, or this one would not be asked for.
        self.follower.sent(self.position);
        loop {
            self.committed.mark_unchanged();
            let (sent, reached) = self.read().await?;
            if !sent.is_empty() || self.beat <= Instant::now() {
                let gate = self.standing.borrow().gate;
                if !gate.open {
                    return Ok(None);
                }
                let message = self.frame(&gate, Parcel::pack(&sent), reached);
                self.position = reached;
                self.beat = Instant::now() + HEARTBEAT;
                return Ok(Some((message, self)));
            }
            self.position = reached;
            self.follower.sent(reached);
            tokio::select! {
                () = self.node.stopping().cancelled() => return Ok(None),
                () = tokio::time::sleep_until(self.beat) => {}
                changed = self.committed.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    async fn read(&self) -> Result<(Vec<kvs_core::wire::Sent>, u64), peer::Refusal> {
        let (node, position) = (self.node.clone(), self.position);
        let me = node.identity().node;
        if let Some(read) = outgoing::from_tail(node.tail(), position, MESSAGE_BYTES) {
            return Ok(read);
        }
        let reading = tokio::task::spawn_blocking(move || {
            outgoing::after(node.tail(), node.store(), me, position, MESSAGE_BYTES)
        });
        let failed = |error: StoreError| {
            tracing::error!(%error, "the own log cannot be read");
            peer::Refusal::new(500, "failed", "its log cannot be read")
        };
        match reading.await {
            Ok(read) => read.map_err(failed),
            Err(_gone) => Err(peer::Refusal::new(503, "stopping", "it is stopping")),
        }
    }

    fn frame(&self, gate: &Gate, versions: Parcel, position: u64) -> Bytes {
        let frame = Frame {
            pulse: gate.pulse,
            wall: self.node.now(),
            incarnation: self.node.log_incarnation(),
            position,
            head: *self.committed.borrow(),
            waiting: self.node.tail().bytes_after(position),
            versions,
        };
        let mut message = vec![FRAME];
        message.extend(frame.encode());
        message.into()
    }
}
