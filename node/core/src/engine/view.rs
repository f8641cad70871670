//! What can be seen of replication.

use std::time::Duration;

use super::{Engine, Life, Now, Peer};
use crate::agreement::{self, Saved};
use crate::id::NodeId;
use crate::members::{ListId, Members, Standing};
use crate::stamp::Stamp;
use crate::wire::Refusal;

/// Whether a node's log is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// It is not.
    #[default]
    Off,
    /// It is.
    Open,
    /// What came from it could not be taken; it is asked for again.
    Held(Refusal),
}

/// Replication at one instant.
#[derive(Clone, Debug)]
pub struct View {
    /// Where the node is in its life.
    pub life: Life,
    /// While it is being filled: the share that has come, from 0 to 1.
    pub filled: Option<f64>,
    /// All members ever.
    pub members: Members,
    /// Up to where this node holds everything.
    pub held: Stamp,
    /// Up to where everybody does.
    pub horizon: Stamp,
    /// Who holds the horizon back.
    pub last: Option<NodeId>,
    /// The list of members under which agreement is counted.
    pub list: ListId,
    /// What is kept of it on disk.
    pub agreement: Saved,
    /// Once it was told to go: the members with whom it has still to agree first.
    pub leaving: Option<Vec<NodeId>>,
    /// The other nodes, by id.
    pub peers: Vec<PeerView>,
    /// How far this node's clock is ahead of its peers', as far as is known, in milliseconds.
    pub clock_ahead: i64,
}

/// Another node.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Which.
    pub node: NodeId,
    /// Its display name, once it was met or is a member.
    pub name: Option<String>,
    /// What it is to the cluster.
    pub standing: Option<Standing>,
    /// Whether it can be reached.
    pub reachable: bool,
    /// Where it is in its life, once it was met.
    pub life: Option<Life>,
    /// The newest format that it understands, once it was met.
    pub newest_format: Option<u8>,
    /// Why the two do not talk.
    pub refusal: Option<Refusal>,
    /// Whether its log is followed.
    pub stream: Stream,
    /// How many positions of its log have not come yet: at least as many as versions.
    pub behind: u64,
    /// At least so many bytes of versions have not come yet, as of the last piece that came.
    pub bytes_behind: u64,
    /// Up to where the two agree.
    pub agreed: Option<Stamp>,
    /// How long ago that was.
    pub agreed_age: Option<Duration>,
    /// How far its clock is ahead of this node's, in milliseconds.
    pub offset: Option<i64>,
}

impl Engine {
    /// What can be seen now.
    pub fn view(&self, now: Now) -> View {
        View {
            life: self.life,
            filled: self.filled_share(),
            members: self.members.clone(),
            held: self.agreement.held(),
            horizon: self.agreement.horizon(),
            last: self.agreement.last(&self.members),
            list: self.agreement.list(),
            agreement: self.agreement.saved().clone(),
            leaving: self.leaving.is_some().then(|| self.owed()),
            peers: self.peers.iter().map(|(id, peer)| self.peer_view(*id, peer, now)).collect(),
            clock_ahead: self.watch.ahead(now),
        }
    }

    fn peer_view(&self, id: NodeId, peer: &Peer, now: Now) -> PeerView {
        let member = self.members.get(id);
        let hello = peer.hello.as_ref();
        let position = self.cursors.get(&id).map_or(0, |cursor| cursor.position);
        let agreed = self.agreement.agreed(id);
        PeerView {
            node: id,
            name: hello
                .map(|hello| hello.name.clone())
                .or(member.map(|member| member.name.clone())),
            standing: member.map(|member| member.standing),
            reachable: peer.reachable,
            life: hello.map(|hello| hello.life),
            newest_format: hello.map(|hello| hello.newest_format),
            refusal: peer.refusal.clone(),
            stream: peer.stream.clone(),
            behind: peer.head.saturating_sub(position),
            bytes_behind: peer.waiting,
            agreed,
            agreed_age: agreed.map(|stamp| agreement::lag(stamp, now.wall)),
            offset: peer.offset(now),
        }
    }
}
