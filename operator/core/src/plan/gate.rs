//! Whether a node may be taken out of service.

use std::fmt;

use kvs_core::UnixMillis;
use uuid::Uuid;

use super::case::Case;
use crate::crd::Gate;
use crate::observed::{Departure, Life, MemberSeen, Ordinal, PodSeen, Readiness};

/// Why a step has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shut {
    /// There are disks, and not the secret that they belong to.
    IdentityLost,
    /// The cluster file cannot be used.
    IdentityUnusable(String),
    /// The settings are not ones that a node takes.
    Refused(String),
    /// The `StatefulSet` is being deleted, or its controller has not seen it yet.
    SetUnsettled,
    /// There is no such pod yet.
    PodAbsent(Ordinal),
    /// It is going.
    PodGoing(Ordinal),
    /// It does not serve; why, if that is known.
    PodUnready(Ordinal, Option<String>),
    /// People hold it down.
    Fenced(Ordinal),
    /// Its pod is of a template that knows nothing of being held down.
    OldTemplate(Ordinal),
    /// Its node does not answer the operator.
    Silent(Ordinal),
    /// Its node is not caught up.
    CatchingUp(Ordinal),
    /// Two nodes have not agreed since the later of them began to serve.
    NotAgreed(Ordinal, Ordinal),
    /// The canaries are out, and not released.
    Canary(String),
    /// A node is leaving.
    Leaving(Ordinal),
    /// A node was drained, and clients may still find it.
    Draining(Ordinal),
    /// A member is dead, and only people can say that it stays so.
    Dead(Ordinal, Option<Uuid>),
    /// A node that is to be given up lives.
    Lives(Uuid),
    /// A disk that is to be replaced serves.
    Serves(Ordinal),
    /// Some node does not say yet that another one is gone.
    NoProof(Ordinal),
    /// The disk of a pod that is to be made is being deleted.
    DiskGoing(Ordinal),
    /// The disk of a pod that is to be ended was deleted, and goes with it.
    DiskDeleted(Ordinal),
    /// A backup is being brought back.
    Restoring,
    /// It is not, for this reason.
    RestoreFails(String),
    /// Nobody answers.
    NobodyAnswers,
}

impl Shut {
    /// The reason in one word, for conditions and events.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::IdentityLost => "IdentityLost",
            Self::IdentityUnusable(_) => "IdentityUnusable",
            Self::Refused(_) => "ConfigurationRefused",
            Self::SetUnsettled => "StatefulSetUnsettled",
            Self::PodAbsent(_) | Self::PodGoing(_) | Self::PodUnready(..) => "PodNotReady",
            Self::Fenced(_) => "Fenced",
            Self::OldTemplate(_) => "OldTemplate",
            Self::Silent(_) | Self::NobodyAnswers => "NoAnswer",
            Self::CatchingUp(_) => "CatchingUp",
            Self::NotAgreed(..) => "NotAgreed",
            Self::Canary(_) => "Canary",
            Self::Leaving(_) => "Leaving",
            Self::Draining(_) => "Draining",
            Self::Dead(..) => "MemberDead",
            Self::Lives(_) => "MemberLives",
            Self::Serves(_) => "MemberServes",
            Self::NoProof(_) => "NoProof",
            Self::DiskGoing(_) => "DiskGoing",
            Self::DiskDeleted(_) => "DiskDeleted",
            Self::Restoring => "Restoring",
            Self::RestoreFails(_) => "RestoreFails",
        }
    }

    /// Whether only people can help.
    pub const fn needs_people(&self) -> bool {
        matches!(
            self,
            Self::IdentityLost
                | Self::IdentityUnusable(_)
                | Self::Refused(_)
                | Self::Fenced(_)
                | Self::OldTemplate(_)
                | Self::Dead(..)
                | Self::Lives(_)
                | Self::Serves(_)
                | Self::DiskDeleted(_)
                | Self::RestoreFails(_)
        )
    }
}

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdentityLost => f.write_str(
                "there are disks of this cluster, and the Secret with its cluster file is gone: \
                 restore the Secret; with another one the disks cannot be used",
            ),
            Self::IdentityUnusable(why) => {
                write!(f, "the Secret with the cluster file cannot be used: {why}")
            }
            Self::Refused(why) => write!(f, "spec.config is wrong: {why}"),
            Self::SetUnsettled => f.write_str("Kubernetes has not seen the last change yet"),
            Self::PodAbsent(at) => write!(f, "pod {at} is not there yet"),
            Self::PodGoing(at) => write!(f, "pod {at} is going"),
            Self::PodUnready(at, None) => write!(f, "pod {at} is not ready"),
            Self::PodUnready(at, Some(why)) => write!(f, "pod {at} is not ready: {why}"),
            Self::Fenced(at) => {
                write!(f, "node {at} is held down: take it out of spec.fenced to let it go on")
            }
            Self::OldTemplate(at) => write!(
                f,
                "pod {at} is of an older operator's template, whose nodes cannot be held down: take it \
                 out of spec.fenced, or let `kubectl kvs adopt` give pods the newer template"
            ),
            Self::Silent(at) => write!(f, "node {at} does not answer on its peer port"),
            Self::CatchingUp(at) => write!(f, "node {at} has not caught up yet"),
            Self::NotAgreed(one, other) => {
                write!(f, "nodes {one} and {other} have not agreed since the last of them started")
            }
            Self::Canary(template) => write!(
                f,
                "the canaries have template {template}; `kubectl kvs promote` releases it to all"
            ),
            Self::Leaving(at) => write!(f, "node {at} is leaving: others lack what it has"),
            Self::Draining(at) => write!(f, "node {at} is drained; clients may still find it"),
            Self::Dead(at, Some(node)) => write!(
                f,
                "member {at} ({node}) does not answer: bring it back, or give it up by putting its \
                 id into spec.forget"
            ),
            Self::Dead(at, None) => write!(
                f,
                "member {at} does not answer: bring it back, or give it up by putting its id into \
                 spec.forget"
            ),
            Self::Lives(node) => write!(
                f,
                "node {node} is in spec.forget, and it can be reached: only what is lost is given up"
            ),
            Self::Serves(at) => {
                write!(f, "pod {at} is to get a new disk, and it serves with its own")
            }
            Self::NoProof(at) => write!(f, "not every node says yet that member {at} is gone"),
            Self::DiskGoing(at) => write!(f, "disk {at} is being deleted"),
            Self::DiskDeleted(at) => write!(
                f,
                "somebody deleted disk {at}, which goes as soon as its pod does: delete pod {at} \
                 yourself once the others hold what is on it"
            ),
            Self::Restoring => f.write_str("the backup is being brought back"),
            Self::RestoreFails(why) => write!(f, "the backup cannot be brought back: {why}"),
            Self::NobodyAnswers => f.write_str("no node answers on its peer port"),
        }
    }
}

impl Case<'_> {
    /// Whether a node may be out of service: every other one that there is to be serves, and has agreed
    /// with every other one since both began to, and with the one that goes, if that serves. Nobody waits
    /// for a node that has left: below one that goes first it stays, and serves no more.
    pub(super) fn gate(&self, except: Ordinal) -> Result<(), Shut> {
        let counts = |ordinal: &Ordinal| *ordinal != except && !self.has_left(*ordinal);
        let others: Vec<Ordinal> = (0..self.pods).filter(counts).collect();
        if self.wish.does_without(Gate::Readiness, self.seen.now) {
            return Ok(());
        }
        for ordinal in &others {
            self.serves(*ordinal)?;
            self.stays(*ordinal)?;
        }
        if self.wish.does_without(Gate::Agreement, self.seen.now) {
            return Ok(());
        }
        // What it has must be elsewhere while it is away, and if its disk does not come back.
        let all: Vec<Ordinal> =
            others.iter().copied().chain(self.is_at_work(except).then_some(except)).collect();
        others.iter().try_for_each(|ordinal| self.agrees(*ordinal, &all))
    }

    fn is_at_work(&self, ordinal: Ordinal) -> bool {
        let serves =
            |member: &MemberSeen| member.life == Life::Serving && member.departure.is_none();
        self.seen.is_ready(ordinal) && self.seen.members.get(&ordinal).is_some_and(serves)
    }

    fn has_left(&self, ordinal: Ordinal) -> bool {
        let member = self.seen.members.get(&ordinal);
        member.is_some_and(|member| member.departure == Some(Departure::Left))
    }

    /// Whether a pod serves.
    pub(super) fn serves(&self, ordinal: Ordinal) -> Result<&PodSeen, Shut> {
        let pod = self.seen.pods.get(&ordinal).ok_or(Shut::PodAbsent(ordinal))?;
        match pod.ready {
            _ if pod.terminating => Err(Shut::PodGoing(ordinal)),
            Readiness::Since(_) => Ok(pod),
            _ if self.is_held(ordinal) => Err(Shut::Fenced(ordinal)),
            _ => Err(Shut::PodUnready(ordinal, pod.trouble.clone())),
        }
    }

    /// Kubernetes is the last to know of a node that was drained.
    fn stays(&self, ordinal: Ordinal) -> Result<(), Shut> {
        match self.seen.members.get(&ordinal) {
            Some(member) if member.departure.is_some() => Err(Shut::Leaving(ordinal)),
            Some(member) if member.draining => Err(Shut::Draining(ordinal)),
            _ => Ok(()),
        }
    }

    fn agrees(&self, ordinal: Ordinal, others: &[Ordinal]) -> Result<(), Shut> {
        let member = self.answers(ordinal)?;
        if member.life != Life::Serving || member.departure.is_some() {
            return Err(Shut::CatchingUp(ordinal));
        }
        for other in others.iter().filter(|other| **other != ordinal) {
            let with = self.answers(*other)?;
            let since = self.served_since(ordinal).max(self.served_since(*other));
            let agreed = member.peers.get(&with.node).and_then(|peer| peer.agreed);
            if agreed.is_none_or(|agreed| agreed <= since) {
                return Err(Shut::NotAgreed(ordinal, *other));
            }
        }
        Ok(())
    }

    pub(super) fn answers(&self, ordinal: Ordinal) -> Result<&MemberSeen, Shut> {
        self.seen.members.get(&ordinal).ok_or(Shut::Silent(ordinal))
    }

    fn served_since(&self, ordinal: Ordinal) -> UnixMillis {
        match self.seen.pods.get(&ordinal).map(|pod| pod.ready) {
            Some(Readiness::Since(since)) => since,
            _ => self.seen.now,
        }
    }
}
