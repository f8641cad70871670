//! What SWIM is told and what it asks for.

use std::net::SocketAddr;

use bytes::Bytes;
use foca::OwnedNotification;

use super::identity::Identity;
use super::message::Effect;
use super::timers::Timer;
use super::{Membership, codec};
use crate::NodeId;

impl Membership {
    pub(super) fn swim_timer(&mut self, timer: foca::Timer<Identity>) {
        // It complains of timers that come late or in vain, and has recovered by then.
        let _ = self.swim.handle_timer(timer, &mut self.outbox);
        self.settle(None);
    }

    pub(super) fn datagram(&mut self, from: SocketAddr, payload: &Bytes) {
        let source = match codec::source(payload) {
            Ok(source) if source.node == self.me.node => return self.claimed(source),
            Ok(source) => source,
            Err(_) => return self.effects.push(Effect::Malformed { from }),
        };
        if self.swim.handle_data(payload, &mut self.outbox).is_err() {
            return self.effects.push(Effect::Malformed { from });
        }
        self.roster.heard(source.node, self.now);
        self.settle(Some(source));
        self.joined |= self.roster.is_at(source.gossip);
        self.look_for_rival();
    }

    /// Does what SWIM asked for; `source` is who made it ask.
    pub(super) fn settle(&mut self, source: Option<Identity>) {
        while self.outbox.backlog() > 0 {
            while let Some((to, payload)) = self.outbox.to_send() {
                self.effects.push(Effect::Send { to: to.gossip, payload });
            }
            while let Some((after, timer)) = self.outbox.to_schedule() {
                self.timers.set(self.now + after, Timer::Swim(timer));
            }
            while let Some(notification) = self.outbox.to_notify() {
                self.notified(&notification, source);
            }
        }
    }

    fn notified(&mut self, notification: &OwnedNotification<Identity>, source: Option<Identity>) {
        match *notification {
            OwnedNotification::MemberUp(member) if member.node != self.me.node => {
                self.roster.up(member, self.now);
            }
            OwnedNotification::MemberDown(member) => self.roster.down(member),
            OwnedNotification::Rename(_, member) => self.roster.renamed(member),
            OwnedNotification::Rejoin(me) => self.rejoined(me, source),
            OwnedNotification::Idle => self.isolated(),
            OwnedNotification::MemberUp(_)
            | OwnedNotification::Active
            | OwnedNotification::Defunct => {}
        }
    }

    /// Somebody held this node to be down, and it has taken a higher incarnation. Whoever that was
    /// may be of another part of the cluster: it is asked whom it knows.
    fn rejoined(&mut self, me: Identity, source: Option<Identity>) {
        self.me.incarnation = me.incarnation;
        self.reconnect();
        if let Some(source) = source {
            self.announce(source);
            self.ask(source);
        }
    }

    /// Goes on probing at once after a change of identity, not only when a datagram comes.
    pub(super) fn reconnect(&mut self) {
        self.apply([].into_iter(), false);
    }

    pub(super) fn apply(&mut self, claims: impl Iterator<Item = Identity>, is_news: bool) {
        // What can fail is writing a claim, and one always fits into an empty datagram.
        let _ = self.swim.apply_many(claims.map(foca::Member::alive), is_news, &mut self.outbox);
        self.settle(None);
    }

    pub(super) fn announce(&mut self, to: Identity) {
        // What can fail is writing a header, which always fits.
        let _ = self.swim.announce(to, &mut self.outbox);
        self.settle(None);
    }

    /// What SWIM knows of a node, be it up or down.
    pub(super) fn known(&self, node: NodeId) -> Option<Identity> {
        self.swim.iter_membership_state().map(|member| *member.id()).find(|id| id.node == node)
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        if self.roster.forget(node)
            && let Some(identity) = self.known(node)
        {
            self.swim_timer(foca::Timer::RemoveDown(identity));
        }
    }

    pub(super) fn leave(&mut self) {
        // Each can only fail at writing a claim. Told three times, as any datagram may be lost.
        let _ = self.swim.leave_cluster(&mut self.outbox);
        for _ in 0..2 {
            let _ = self.swim.gossip(&mut self.outbox);
        }
        self.left = true;
    }
}
