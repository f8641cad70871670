//! Who goes: this node for good, others that were given up.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use super::{AskId, Effect, Engine, ForgetError, Host, Life, Note, Now, RETRY};
use crate::id::NodeId;
use crate::members::{Member, Standing};
use crate::stamp::Stamp;
use crate::sync::IN_FLIGHT;
use crate::wire::{Answer, Parcel, Question, Refusal, Sent};

/// A node that is to go for good.
#[derive(Debug)]
pub(super) struct Leaving {
    /// What is stamped up to this must be elsewhere before it goes.
    up_to: Stamp,
    /// Once its record says that it left.
    telling: Option<Telling>,
    /// Whether it left in an earlier run, which ended before anybody knew.
    unfinished: bool,
}

/// How far the others know.
#[derive(Debug, Default)]
struct Telling {
    asked: BTreeMap<AskId, NodeId>,
    told: BTreeSet<NodeId>,
    /// Not before this is it tried again.
    next: Duration,
}

impl Leaving {
    /// A store whose own record says that it left: others may not know yet.
    pub(super) fn unfinished() -> Self {
        let telling = Some(Telling::default());
        Self { up_to: Stamp::MIN, telling, unfinished: true }
    }
}

impl Engine {
    /// Takes over what the records say of who counts, and says who went.
    pub(super) fn read_members<H: Host>(&mut self, now: Now, host: &H) -> Result<(), H::Error> {
        let before = mem::replace(&mut self.members, host.members()?);
        self.agreement.members_are(&self.members);
        let standing = |node| before.get(node).map(|member| member.standing);
        let gone = self.members.iter().filter(|member| member.standing != Standing::Joined);
        let gone: Vec<(NodeId, Standing)> = gone
            .filter(|member| standing(member.node) != Some(member.standing))
            .map(|member| (member.node, member.standing))
            .collect();
        for (node, standing) in gone {
            self.effects.push(Effect::Gone { node, standing });
            self.greet_anew(node, now);
        }
        Ok(())
    }

    /// Gives a node up.
    pub(super) fn forget<H: Host>(
        &mut self,
        node: NodeId,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let known = self.may_forget(node, now);
        if let Ok(member) = &known
            && member.standing == Standing::Joined
        {
            host.enroll(&Member { standing: Standing::Forgotten, ..member.clone() })?;
            self.read_members(now, host)?;
            host.save(&[Note::Agreement(self.agreement.saved())])?;
        }
        self.effects.push(Effect::Forgot(known.map(drop)));
        Ok(())
    }

    fn may_forget(&self, node: NodeId, now: Now) -> Result<Member, ForgetError> {
        let me = self.config.node;
        if node == me {
            return Err(ForgetError::Itself);
        }
        if !self.members.counts(me) || self.leaving.is_some() {
            return Err(ForgetError::NoMember);
        }
        self.watch.check(now)?;
        self.members.get(node).cloned().ok_or(ForgetError::Unknown)
    }

    /// Begins to go: what was stamped so far is to be elsewhere first.
    pub(super) fn leave<H: Host>(&mut self, host: &mut H) -> Result<(), H::Error> {
        if self.leaving.is_none() {
            let up_to = host.clock();
            // A comparison that begins from here on proves agreement up to what was stamped.
            host.raise_clock(Stamp::at(up_to.millis().after(IN_FLIGHT)).next())?;
            self.leaving = Some(Leaving { up_to, telling: None, unfinished: false });
        }
        Ok(())
    }

    /// Whether its record says that this node left.
    pub(super) fn has_left(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.telling.is_some())
    }

    /// Whether this node is to go and has not agreed with another since it was told to.
    pub(super) fn owes(&self, id: NodeId) -> bool {
        let up_to = self.leaving.as_ref().map(|leaving| leaving.up_to);
        up_to.is_some_and(|up_to| self.agreement.agreed(id).is_none_or(|agreed| agreed < up_to))
    }

    /// The other members with whom it has still to agree before it goes.
    pub(super) fn owed(&self) -> Vec<NodeId> {
        let waits = |id: &NodeId| {
            let peer = self.peers.get(id);
            self.owes(*id) && peer.is_some_and(|peer| peer.reachable && !peer.has_nothing())
        };
        self.other_members().filter(waits).collect()
    }

    fn other_members(&self) -> impl Iterator<Item = NodeId> {
        let me = self.config.node;
        self.members.joined().map(|member| member.node).filter(move |node| *node != me)
    }

    /// Does what is due of a node that is to go, or was told to.
    pub(super) fn go<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        if self.leaving.is_none() {
            if self.life != Life::Unborn && self.members.is_gone(self.config.node) {
                let held = if self.has_data() { self.agreement.held() } else { Stamp::MAX };
                self.fence(held, true);
            }
            return Ok(());
        }
        if !self.has_left() && self.has_handed_over() && self.watch.check(now).is_ok() {
            self.record_leave(now, host)?;
        }
        if self.has_left() {
            self.tell(now, host)?;
            self.stop();
        }
        Ok(())
    }

    /// Whether everything that this node has is elsewhere.
    fn has_handed_over(&self) -> bool {
        let agreed = self.other_members().any(|id| !self.owes(id));
        !self.has_data()
            || self.other_members().next().is_none()
            || self.owed().is_empty() && agreed
    }

    fn record_leave<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        if let Some(me) = self.members.get(self.config.node) {
            host.enroll(&Member { standing: Standing::Left, ..me.clone() })?;
            self.read_members(now, host)?;
        }
        self.give_up_talk(now);
        if let Some(leaving) = &mut self.leaving {
            leaving.telling = Some(Telling::default());
        }
        Ok(())
    }

    /// Tells everybody who can be reached that this node left.
    fn tell<H: Host>(&mut self, now: Now, host: &H) -> Result<(), H::Error> {
        let due = self.to_tell(now);
        if due.is_empty() {
            return Ok(());
        }
        let (pulse, parcel) = (self.agreement.pulse(host.clock()), self.own_record(host)?);
        for id in due {
            let ask = self.ask(id, Question::Push(pulse, None, parcel.clone()));
            if let Some(telling) = self.telling() {
                telling.asked.insert(ask, id);
            }
        }
        Ok(())
    }

    fn telling(&mut self) -> Option<&mut Telling> {
        self.leaving.as_mut()?.telling.as_mut()
    }

    fn to_tell(&self, now: Now) -> Vec<NodeId> {
        let telling = self.leaving.as_ref().and_then(|leaving| leaving.telling.as_ref());
        let Some(telling) = telling else { return Vec::new() };
        if !telling.asked.is_empty() || telling.next > now.running {
            return Vec::new();
        }
        let reachable = |id: &NodeId| self.peers.get(id).is_some_and(|peer| peer.reachable);
        self.other_members().filter(|id| reachable(id) && !telling.told.contains(id)).collect()
    }

    fn own_record<H: Host>(&self, host: &H) -> Result<Parcel, H::Error> {
        let Ok(record) = Member::record(self.config.node) else { return Ok(Parcel::default()) };
        let record = record.encode();
        let version = host.version(&record)?;
        let sent = version.map(|version| Sent { record: record.into(), version });
        Ok(Parcel::pack(&Vec::from_iter(sent)))
    }

    /// Takes the answer of one that was told, if that is what was asked.
    pub(super) fn heard_of_leave(&mut self, ask: AskId, answer: &Result<Answer, String>, now: Now) {
        let Some(telling) = self.telling() else { return };
        let Some(id) = telling.asked.remove(&ask) else { return };
        telling.next = now.running + RETRY;
        // Who keeps it out does not count it as a member any more.
        let knows = Answer::Refused(Refusal::Fenced);
        if matches!(answer, Ok(Answer::Pushed(_))) || answer.as_ref() == Ok(&knows) {
            telling.told.insert(id);
        }
    }

    /// When it is tried again to tell the others.
    pub(super) fn tell_at(&self) -> Option<Duration> {
        Some(self.leaving.as_ref()?.telling.as_ref()?.next)
    }

    /// Stops once somebody knows, or there is nobody to know.
    fn stop(&mut self) {
        let alone = self.other_members().next().is_none();
        let Some(leaving) = &self.leaving else { return };
        let known = |telling: &Telling| !telling.told.is_empty() && telling.asked.is_empty();
        if self.fenced || !(alone || leaving.telling.as_ref().is_some_and(known)) {
            return;
        }
        self.fenced = true;
        self.effects.push(if leaving.unfinished {
            Effect::Fenced { held: Stamp::MAX, given_up: true }
        } else {
            Effect::Left
        });
    }
}
