//! Following the logs of the others.

use super::peer::Wanted;
use super::view::Stream;
use super::{Effect, Engine, Host, Note, Now, Peer, serve};
use crate::id::NodeId;
use crate::wire::{Cursor, Frame, Refusal};

impl Engine {
    /// Follows everybody who was met and has data.
    pub(super) fn follow(&mut self, now: Now) {
        let due = |peer: &Peer| {
            peer.is_met()
                && peer.has_data()
                && matches!(peer.stream, Stream::Off | Stream::Held(_))
                && peer.follow_at <= now.running
        };
        for (id, peer) in &mut self.peers {
            if due(peer) {
                peer.stream = Stream::Open;
                let cursor = self.cursors.get(id).copied().unwrap_or_default();
                self.effects.push(Effect::Follow { peer: *id, cursor });
            }
        }
    }

    /// Takes a piece of a log: its versions and how far it goes, in one write.
    pub(super) fn frame<H: Host>(
        &mut self,
        id: NodeId,
        frame: &Frame,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let following = self.peers.get(&id).is_some_and(|peer| peer.stream == Stream::Open);
        if !following || !self.has_data() {
            return Ok(());
        }
        if let Some(refusal) = self.hear(id, frame.pulse, now, host)? {
            self.hold(id, refusal, now);
            return Ok(());
        }
        let horizon = self.agreement.horizon();
        let versions = match serve::open(&frame.versions, now.wall, self.config.max_clock_drift) {
            // A log tells of what was overwritten since, too. Up to the horizon this node has
            // everything, or has forgotten with all others what became of it.
            Ok(mut versions) => {
                versions.retain(|(_, version)| version.stamp > horizon);
                versions
            }
            Err(refusal) => {
                self.hold(id, refusal, now);
                return Ok(());
            }
        };
        let cursor = Cursor { incarnation: frame.incarnation, position: frame.position };
        let concerns_members = serve::concern_members(&versions);
        if self.cursors.get(&id) != Some(&cursor) {
            if let Err(error) = host.apply(versions, &[Note::Cursor(id, cursor)]) {
                self.hold(id, Refusal::Failed, now);
                return Err(error);
            }
            self.cursors.insert(id, cursor);
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.head = frame.head;
            peer.waiting = frame.waiting;
            peer.shows(frame.wall, now);
        }
        if concerns_members { self.read_members(now, host) } else { Ok(()) }
    }

    /// Stops following a log that cannot be taken: its cursor stays, and it is asked for again.
    fn hold(&mut self, id: NodeId, refusal: Refusal, now: Now) {
        self.effects.push(Effect::Unfollow { peer: id });
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.follow_at = now.running + self.config.catchup_interval;
        peer.stream = Stream::Held(refusal.clone());
        self.note_refused(id, refusal, true);
    }

    pub(super) fn ended(&mut self, id: NodeId, why: Result<Refusal, String>, now: Now) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.stream == Stream::Open {
            peer.stream = Stream::Off;
            peer.follow_at = now.running + self.config.catchup_interval;
            // Whatever ended it, the two may have changed: they meet again, and compare at once.
            peer.compare = peer.compare.max(Wanted::Soon);
            peer.hello = None;
            peer.greet_at = now.running;
        }
        if let Ok(refusal) = why {
            self.note_refused(id, refusal, false);
        }
    }
}
