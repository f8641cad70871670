//! How an empty node becomes a member: birth, filling, catching up.

use std::time::Duration;

use super::meeting::has_data;
use super::peer::Accord;
use super::{ALONE_AFTER, Bootstrap, Config, Engine, FOUND_AFTER, Host, Life, Note, Now, Peer};
use super::{RETRY, Report};
use crate::digest::Position;
use crate::format::Format;
use crate::id::NodeId;
use crate::members::{Member, Standing};
use crate::stamp::Stamp;
use crate::wire::{Admission, Answer, Hello, Parcel, Question, RangeFrom, Refusal};

impl Engine {
    /// Does what the present part of the node's life asks for.
    pub(super) fn live<H: Host>(
        &mut self,
        now: Now,
        random: u64,
        host: &mut H,
    ) -> Result<(), H::Error> {
        match self.life {
            Life::Unborn => self.be_born(now, random, host),
            Life::Filling => self.fill(now, random, host),
            Life::CatchingUp if self.has_caught_up(now) => {
                self.turn(Life::Serving, now);
                Ok(())
            }
            Life::CatchingUp | Life::Serving => Ok(()),
        }
    }

    fn turn(&mut self, life: Life, now: Now) {
        self.life = life;
        self.life_since = now.running;
        for peer in self.peers.values_mut() {
            peer.outdated = true;
        }
        self.report(Report::Life(life));
    }

    /// Asks a member to be taken in; or founds the cluster, if nobody else will.
    fn be_born<H: Host>(&mut self, now: Now, random: u64, host: &mut H) -> Result<(), H::Error> {
        if !self.config.has_seeds {
            return self.found(now, host);
        }
        if self.filler.is_some() || self.page_at > now.running {
            return Ok(());
        }
        self.page_at = now.running + RETRY;
        let serving = self.met(|hello| hello.life == Life::Serving);
        if let Some(peer) = pick(&serving, random) {
            let hello = self.hello(now, host);
            let ask = self.ask(peer, Question::Join(Box::new(hello)));
            self.filler = Some((peer, ask));
            return Ok(());
        }
        if self.is_to_found(now) && self.watch.check(now).is_ok() {
            return self.found(now, host);
        }
        // Who was empty may have been taken in by now.
        self.greet_again_all(now);
        Ok(())
    }

    /// Whether all that can be reached are empty too, and wait for this one. Who has not answered yet
    /// may have founded it meanwhile.
    fn is_to_found(&self, now: Now) -> bool {
        let said = |peer: &Peer| peer.hello.is_some() || peer.refusal.is_some();
        let answered = |peer: &Peer| !peer.reachable || said(peer);
        if !self.peers.values().all(answered) {
            return false;
        }
        let all = self.met(|_| true);
        let empty = self.met(|hello| hello.life == Life::Unborn);
        let first = empty.iter().all(|other| self.config.node < *other);
        let waited = now.running >= self.life_since + FOUND_AFTER;
        !empty.is_empty() && empty.len() == all.len() && first && waited
    }

    /// Those met whose greeting is such.
    fn met(&self, such: impl Fn(&Hello) -> bool) -> Vec<NodeId> {
        let met = self.peers.iter().filter(|(_, peer)| peer.is_met());
        let such = |hello: &Option<Hello>| hello.as_ref().is_some_and(&such);
        met.filter(|(_, peer)| such(&peer.hello)).map(|(id, _)| *id).collect()
    }

    fn greet_again_all(&mut self, now: Now) {
        for peer in self.peers.values_mut() {
            if peer.is_met() && peer.greeting.is_none() && peer.greet_at <= now.running {
                peer.hello = None;
            }
        }
    }

    /// Becomes the first member, where nobody else is known.
    pub(super) fn found_alone<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        let alone = self.filler.is_none() && self.peers.values().all(|peer| !peer.reachable);
        if self.life != Life::Unborn || !alone || self.watch.check(now).is_err() {
            return Ok(());
        }
        self.found(now, host)
    }

    /// Becomes the first member.
    fn found<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        host.adopt(None, self.common_format(), &[])?;
        host.enroll(&self.myself())?;
        self.read_members(now, host)?;
        self.turn(Life::CatchingUp, now);
        self.greet_all_anew(now);
        if self.has_caught_up(now) {
            self.turn(Life::Serving, now);
        }
        Ok(())
    }

    /// Writes its own record where there is none: it was with whoever took this node in, and went with
    /// the store of that one, which had to begin anew. Nobody would count it, and wait for it.
    pub(super) fn enroll_itself<H: Host>(
        &mut self,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let known = self.members.get(self.config.node).is_some();
        if known || self.life != Life::Serving || self.trusted(now).is_none() {
            return Ok(());
        }
        host.enroll(&self.myself())?;
        self.read_members(now, host)?;
        host.save(&[Note::Agreement(self.agreement.saved())])
    }

    /// This node as a member that was taken in by nobody else.
    fn myself(&self) -> Member {
        let Config { node, joined, boot, .. } = self.config;
        let (name, standing) = (self.config.name.clone(), Standing::Joined);
        Member { node, name, joined, admission: boot, standing }
    }

    /// The newest format that those met understand.
    fn common_format(&self) -> Format {
        let hellos = self.peers.values().filter_map(|peer| peer.hello.as_ref());
        let newest = hellos.filter_map(|hello| Format::of(hello.newest_format));
        newest.chain([self.config.newest_format]).min().unwrap_or(self.config.newest_format)
    }

    /// Takes a node in: from here on it is a member.
    pub(super) fn admit<H: Host>(
        &mut self,
        hello: &Hello,
        now: Now,
        host: &mut H,
    ) -> Result<Answer, H::Error> {
        if let Some(refusal) = self.cannot_talk(hello, host) {
            return Ok(Answer::Refused(refusal));
        }
        if self.life != Life::Serving || self.trusted(now).is_none() {
            return Ok(Answer::Refused(Refusal::NotServing));
        }
        let known = self.members.get(hello.node).map(|member| member.standing);
        if matches!(known, Some(Standing::Left | Standing::Forgotten)) {
            return Ok(Answer::Refused(Refusal::GivenUp));
        }
        let member = Member {
            node: hello.node,
            name: hello.name.clone(),
            joined: hello.joined,
            admission: self.admission_of(hello.boot),
            standing: Standing::Joined,
        };
        host.enroll(&member)?;
        self.read_members(now, host)?;
        host.save(&[Note::Agreement(self.agreement.saved())])?;
        self.reachable(hello.node, now);
        let mut cursors = self.cursors.clone();
        cursors.remove(&hello.node);
        cursors.insert(self.config.node, host.log_end());
        Ok(Answer::Admitted(Box::new(Admission {
            member,
            digest_key: host.digest_key(),
            cursors,
            members: self.members.iter().cloned().collect(),
            pulse: self.agreement.pulse(host.clock()),
            parted: self.agreement.saved().parted.clone(),
            format: host.format().number(),
        })))
    }

    /// Names an admission by who is taken in, and by whom: two clusters that both took in the same
    /// empty node, of which only one could tell it so, must not count as kin for that.
    fn admission_of(&self, boot: u64) -> u64 {
        let [first, _] = *self.config.node.as_bytes().as_chunks::<8>().0 else { return boot };
        boot ^ u64::from_be_bytes(first)
    }

    /// Asks for the next page of what there is.
    fn fill<H: Host>(&mut self, now: Now, random: u64, host: &mut H) -> Result<(), H::Error> {
        if self.filler.is_some() || self.page_at > now.running {
            return Ok(());
        }
        let Some(peer) = self.source(random) else {
            if self.is_nobody_else_filled() {
                return self.be_filled(now, host);
            }
            self.greet_again_all(now);
            self.page_at = now.running + RETRY;
            return Ok(());
        };
        let from = RangeFrom {
            position: Position(self.bootstrap.position),
            revisions_since: now.wall.before(self.config.revision_age),
        };
        let pulse = self.agreement.pulse(host.clock());
        let ask = self.ask(peer, Question::Range(pulse, from));
        self.filler = Some((peer, ask));
        Ok(())
    }

    /// Who is to send what there is: somebody who serves, else somebody who has data.
    fn source(&self, random: u64) -> Option<NodeId> {
        let serving = self.met(|hello| hello.life == Life::Serving);
        pick(&serving, random).or_else(|| pick(&self.met(|hello| has_data(hello.life)), random))
    }

    /// Whether every other member was met and is as empty: what was to come is gone, or is what they
    /// have together.
    fn is_nobody_else_filled(&self) -> bool {
        let empty = self.met(|hello| !has_data(hello.life));
        let gone = |node: &NodeId| self.members.get(*node).is_some() && !self.members.counts(*node);
        let told = self.bootstrap.members.iter().copied().filter(|node| !gone(node));
        let known = self.members.joined().map(|member| member.node);
        let mut others = told.chain(known).filter(|node| *node != self.config.node);
        others.all(|node| empty.contains(&node))
    }

    /// Takes the answer to a request to be taken in, or to be sent a page.
    pub(super) fn filled<H: Host>(
        &mut self,
        peer: NodeId,
        answer: Result<Answer, String>,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        self.filler = None;
        match answer {
            Ok(Answer::Admitted(admission)) if self.life == Life::Unborn => {
                self.join(&admission, now, host)
            }
            Ok(Answer::Range(pulse, parcel, next)) if self.life == Life::Filling => {
                if pulse.held < self.agreement.horizon() {
                    // What it has may be what everybody else has forgotten.
                    self.page_at = now.running + RETRY;
                    self.note_refused(peer, Refusal::Fenced, true);
                    return Ok(());
                }
                // What it has not got yet does not come with its page.
                self.agreement.lower_held(pulse.held);
                self.take_page(peer, &parcel, next, now, host)
            }
            // What was to come may have been forgotten meanwhile: the filling begins anew.
            Ok(Answer::Refused(refusal @ (Refusal::GivenUp | Refusal::Fenced))) => {
                self.fence(Stamp::MAX, refusal == Refusal::GivenUp);
                Ok(())
            }
            Ok(Answer::Refused(Refusal::Behind)) if self.is_ahead_of_all(now) => {
                self.fence(Stamp::MAX, false);
                Ok(())
            }
            Ok(Answer::Refused(refusal)) => {
                self.page_at = now.running + RETRY;
                self.greet_anew(peer, now);
                self.note_refused(peer, refusal, false);
                Ok(())
            }
            Ok(_) => {
                self.page_at = now.running + RETRY;
                self.broken(peer, "its answer is none to what it was asked");
                Ok(())
            }
            Err(_) => {
                self.page_at = now.running + RETRY;
                Ok(())
            }
        }
    }

    /// Whether for some time nobody has sent a page because each has missed what this node knows to be
    /// forgotten. It has nothing to keep, so it begins anew with what they have: whoever missed
    /// nothing and is away will see to them.
    fn is_ahead_of_all(&mut self, now: Now) -> bool {
        let since = *self.ahead_since.get_or_insert(now.running);
        now.running >= since + ALONE_AFTER
    }

    fn join<H: Host>(
        &mut self,
        admission: &Admission,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let limit = self.config.max_clock_drift;
        if let Err(refusal) = super::serve::check_stamp(admission.pulse.clock, now.wall, limit) {
            self.page_at = now.running + self.config.catchup_interval;
            self.note_refused(admission.member.node, refusal, true);
            return Ok(());
        }
        let members = admission.members.iter().cloned().collect();
        self.agreement.admitted(&members, admission);
        self.members = members;
        self.cursors.clone_from(&admission.cursors);
        let counted = self.members.joined().map(|member| member.node).collect();
        self.bootstrap = Bootstrap { members: counted, ..Bootstrap::default() };
        let mut notes: Vec<Note<'_>> =
            self.cursors.iter().map(|(node, cursor)| Note::Cursor(*node, *cursor)).collect();
        notes.push(Note::Agreement(self.agreement.saved()));
        notes.push(Note::Bootstrap(Some(&self.bootstrap)));
        let format = Format::of(admission.format).unwrap_or(self.config.newest_format);
        host.adopt(Some(admission), format, &notes)?;
        self.turn(Life::Filling, now);
        Ok(())
    }

    fn take_page<H: Host>(
        &mut self,
        peer: NodeId,
        parcel: &Parcel,
        next: Option<Position>,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let versions = match super::serve::open(parcel, now.wall, self.config.max_clock_drift) {
            Ok(versions) => versions,
            Err(refusal) => {
                self.page_at = now.running + self.config.catchup_interval;
                self.note_refused(peer, refusal, true);
                return Ok(());
            }
        };
        self.ahead_since = None;
        self.bootstrap.versions += versions.len() as u64;
        let Some(next) = next else {
            host.apply(versions, &[])?;
            return self.be_filled(now, host);
        };
        self.bootstrap.position = next.0;
        self.page_at = now.running + self.pause(parcel.len());
        let notes =
            [Note::Bootstrap(Some(&self.bootstrap)), Note::Agreement(self.agreement.saved())];
        host.apply(versions, &notes)
    }

    /// Has what there is to have, and compares it with the others from now on.
    fn be_filled<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        host.save(&[Note::Bootstrap(None), Note::Agreement(self.agreement.saved())])?;
        self.read_members(now, host)?;
        self.turn(Life::CatchingUp, now);
        self.greet_all_anew(now);
        Ok(())
    }

    /// How long `bytes` take at the rate that is allowed.
    fn pause(&self, bytes: usize) -> Duration {
        let seconds = |rate: u64| {
            Duration::from_secs(bytes as u64) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX)
        };
        self.config.bootstrap_rate.map_or(Duration::ZERO, seconds)
    }

    /// Tells everybody, by greeting them, that this node now has data.
    fn greet_all_anew(&mut self, now: Now) {
        let all: Vec<NodeId> = self.peers.keys().copied().collect();
        for id in all {
            self.greet_anew(id, now);
        }
    }

    /// Whether this node knows what everybody knew who can be reached: it has compared with them
    /// since it started, or there is nobody.
    fn has_caught_up(&self, now: Now) -> bool {
        let me = self.config.node;
        if self.members.joined().all(|member| member.node == me) {
            return true;
        }
        let patience = now.running >= self.life_since + ALONE_AFTER;
        let counted = |id: &NodeId| self.members.counts(*id);
        let reachable = self.peers.iter().filter(|(id, peer)| peer.reachable && counted(id));
        let mut others = reachable.map(|(_, peer)| peer).filter(|peer| !peer.has_nothing());
        // Who does not answer, or cannot be agreed with, is not waited for without end.
        let agreed = |peer: &Peer| peer.accord == Accord::Reached;
        let answered = others.clone().all(|peer| agreed(peer) || patience && peer.is_in_the_way());
        let anybody = others.any(agreed);
        answered && (anybody || patience)
    }

    /// While the node is being filled: how many tenths of what there is have come, and how many
    /// versions that was.
    pub fn progress(&self) -> Option<(u32, u64)> {
        let tenths = u64::MAX / 10;
        let come = u32::try_from(self.bootstrap.position / tenths).unwrap_or(10);
        (self.life == Life::Filling).then_some((come, self.bootstrap.versions))
    }

    /// The share of what there is that has come, while the node is being filled.
    #[expect(clippy::cast_precision_loss, reason = "a share for people needs no 64 bits")]
    pub(super) fn filled_share(&self) -> Option<f64> {
        (self.life == Life::Filling).then(|| self.bootstrap.position as f64 / u64::MAX as f64)
    }
}

/// One of them.
fn pick(among: &[NodeId], random: u64) -> Option<NodeId> {
    let count = among.len() as u64;
    let at = random.checked_rem(count)?;
    among.get(usize::try_from(at).unwrap_or(0)).copied()
}
