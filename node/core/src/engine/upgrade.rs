//! Writing in a later format: only once every member understands it.

use super::{Effect, Engine, Host, Now, UpgradeError};
use crate::format::Format;
use crate::members::Member;

impl Engine {
    /// Has the cluster write in the next format, if there is one and all members know it.
    pub(super) fn upgrade<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        let present = host.format();
        let next = present.next().filter(|next| *next <= self.config.newest_format);
        let upgraded = match next {
            None => Ok(present),
            Some(next) => self.may_write_in(next, now).map(|()| next),
        };
        if upgraded.is_ok()
            && let Some(next) = next
        {
            host.raise_format(next)?;
        }
        self.effects.push(Effect::Upgraded(upgraded));
        Ok(())
    }

    fn may_write_in(&self, next: Format, now: Now) -> Result<(), UpgradeError> {
        let me = self.config.node;
        if !self.members.counts(me) || self.leaving.is_some() {
            return Err(UpgradeError::NoMember);
        }
        self.watch.check(now)?;
        let mut others = self.members.joined().filter(|member| member.node != me);
        others.try_for_each(|member| self.understands(member, next))
    }

    fn understands(&self, member: &Member, next: Format) -> Result<(), UpgradeError> {
        let met = self.peers.get(&member.node).filter(|peer| peer.reachable);
        let hello = met.and_then(|peer| peer.hello.as_ref());
        let hello = hello.ok_or_else(|| UpgradeError::Away(member.name.clone()))?;
        if hello.newest_format >= next.number() {
            return Ok(());
        }
        Err(UpgradeError::Older { name: member.name.clone(), newest: hello.newest_format })
    }
}
