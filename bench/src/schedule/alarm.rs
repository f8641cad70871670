use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::{
    io::{Errno, read},
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use tokio::{io::unix::AsyncFd, time::Instant};

/// Waits to the microsecond.
///
/// tokio's timers are exact to a millisecond, which is longer than most requests measured here
/// take. The kernel's are much finer.
#[derive(Debug)]
pub struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// An alarm of the runtime that this is called in.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        #[expect(
            deprecated,
            reason = "an OwnedFd is safe to register, and the successor is unsafe"
        )]
        let registered = AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?;
        Ok(Self(registered))
    }

    /// Returns at `due`, at once if that is past.
    pub async fn wait(&self, due: Instant) -> io::Result<()> {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once_after(left))?;
        loop {
            let mut ready = self.0.readable().await?;
            match read(&self.0, &mut [0_u8; 8]) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                outcome => return Ok(outcome.map(drop)?),
            }
        }
    }
}

fn once_after(left: Duration) -> Itimerspec {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let value = Timespec::try_from(left).unwrap_or(never);
    Itimerspec { it_interval: never, it_value: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_is_never_early() {
        let alarm = Alarm::new().expect("a timer is to be had");
        for micros in [0, 50, 2_000] {
            let due = Instant::now() + Duration::from_micros(micros);
            alarm.wait(due).await.expect("the timer works");
            assert!(Instant::now() >= due);
        }
    }
}
