use std::convert::Infallible;

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::agreement::Pulse;
use crate::digest::{Position, Summary};
use crate::format::Format;
use crate::key::RecordId;
use crate::members::Member;
use crate::stamp::{Stamp, UnixMillis};
use crate::sync::{Conversation, Listed, Replica};
use crate::version::Version;
use crate::wire::{Admission, Era, Hello, Parcel, Refusal, Sent};

const NOON: u64 = 1_700_000_000_000;

/// A store that holds nothing but members and a clock.
#[derive(Debug, Default)]
struct Empty {
    members: Members,
    clock: Stamp,
    raised: Option<Format>,
    /// How often the record of the format was written.
    raises: usize,
}

impl Replica for Empty {
    type Error = Infallible;

    fn depth(&self) -> u32 {
        2
    }

    fn summary(&self, _level: u32, _index: u64) -> Summary {
        Summary::default()
    }

    fn list(
        &self,
        _start: Position,
        _end: Option<Position>,
        _limit: usize,
    ) -> Result<Vec<Listed>, Infallible> {
        Ok(Vec::new())
    }
}

impl Host for Empty {
    fn clock(&self) -> Stamp {
        self.clock
    }

    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, Infallible> {
        self.clock = self.clock.max(to);
        Ok(self.clock)
    }

    fn comparable(&self) -> bool {
        true
    }

    fn version(&self, _record: &[u8]) -> Result<Option<Bytes>, Infallible> {
        Ok(None)
    }

    fn page(
        &self,
        _from: Position,
        _revisions_since: UnixMillis,
        _bytes: usize,
    ) -> Result<(Vec<Sent>, Option<Position>), Infallible> {
        Ok((Vec::new(), None))
    }

    fn members(&self) -> Result<Members, Infallible> {
        Ok(self.members.clone())
    }

    fn log_end(&self) -> Cursor {
        Cursor::default()
    }

    fn digest_key(&self) -> [u8; 32] {
        [0; 32]
    }

    fn apply(
        &mut self,
        _versions: Vec<(RecordId, Version)>,
        _notes: &[Note<'_>],
    ) -> Result<(), Infallible> {
        Ok(())
    }

    fn save(&mut self, _notes: &[Note<'_>]) -> Result<(), Infallible> {
        Ok(())
    }

    fn collect(&mut self, _horizon: Stamp) -> Result<(), Infallible> {
        Ok(())
    }

    fn enroll(&mut self, member: &Member) -> Result<(), Infallible> {
        self.members.put(member.clone());
        Ok(())
    }

    fn format(&self) -> Format {
        self.raised.unwrap_or(Format::One)
    }

    fn raise_format(&mut self, format: Format) -> Result<(), Infallible> {
        self.raised = Some(format);
        self.raises += 1;
        Ok(())
    }

    fn adopt(
        &mut self,
        _admission: Option<&Admission>,
        _format: Format,
        _notes: &[Note<'_>],
    ) -> Result<(), Infallible> {
        Ok(())
    }
}

fn node(id: u8) -> NodeId {
    NodeId::from_bytes([id; 16])
}

fn at(seconds: u64) -> Now {
    Now { wall: UnixMillis(NOON + seconds * 1_000), running: Duration::from_secs(seconds) }
}

fn engine(host: &Empty, has_seeds: bool, born: bool) -> Engine {
    let config = Config {
        cluster: Uuid::from_u128(1),
        node: node(1),
        boot: 7,
        name: "one".into(),
        joined: UnixMillis(1),
        has_seeds,
        sync_interval: Duration::from_secs(10),
        catchup_interval: Duration::from_secs(1),
        max_clock_drift: Duration::from_mins(1),
        retention: Duration::ZERO,
        revision_age: Duration::ZERO,
        bootstrap_rate: None,
        newest_format: Format::Two,
    };
    let resumed = Resumed { born, ..Resumed::default() };
    Engine::new(config, resumed, at(0), host).unwrap()
}

/// A node that is the only member of a cluster.
fn founder() -> (Engine, Empty) {
    let mut host = Empty::default();
    let mut engine = engine(&host, false, false);
    engine.step(Input::Tick, at(0), 0, &mut host);
    assert_eq!(engine.life(), Life::Serving);
    engine.step(Input::Tick, at(0), 0, &mut host);
    (engine, host)
}

fn hello(id: u8, life: Life, wall: UnixMillis) -> Box<Hello> {
    Box::new(Hello {
        oldest: 1,
        newest: 1,
        cluster: Uuid::from_u128(1),
        node: node(id),
        name: id.to_string(),
        joined: UnixMillis(2),
        boot: u64::from(id),
        life,
        wall,
        pulse: Pulse::default(),
        census: crate::members::Census::default(),
        format: 1,
        newest_format: 2,
    })
}

#[test]
fn a_node_with_seeds_waits_for_them_and_is_never_woken_for_what_is_past() {
    let mut host = Empty::default();
    let mut engine = engine(&host, true, false);
    for second in 0..100 {
        assert!(engine.step(Input::Tick, at(second), 0, &mut host).is_empty());
        assert!(engine.wake_at() > at(second).running);
    }
    assert_eq!(engine.life(), Life::Unborn);
}

#[test]
fn a_node_with_seeds_founds_its_cluster_when_told_that_it_is_alone_and_only_then() {
    let mut host = Empty::default();
    let mut alone = engine(&host, true, false);
    alone.step(Input::Found, at(1), 0, &mut host);
    assert_eq!(alone.life(), Life::Serving);
    let mut host = Empty::default();
    let mut met = engine(&host, true, false);
    met.step(Input::Reachable(node(2)), at(0), 0, &mut host);
    met.step(Input::Found, at(1), 0, &mut host);
    assert_eq!(met.life(), Life::Unborn);
}

#[test]
fn a_node_whose_clock_has_jumped_founds_no_cluster() {
    let mut host = Empty::default();
    let mut engine = engine(&host, true, false);
    engine.step(Input::Tick, at(0), 0, &mut host);
    let jumped = |second| Now { wall: UnixMillis(NOON + 3_600_000), ..at(second) };
    let question = Question::Hello(hello(2, Life::Unborn, at(5).wall));
    engine.step(Input::Asked { peer: node(2), question }, jumped(5), 0, &mut host);
    assert_eq!(engine.life(), Life::Unborn);
    let question = Question::Hello(hello(2, Life::Unborn, at(6).wall));
    engine.step(Input::Asked { peer: node(2), question }, at(6), 0, &mut host);
    assert_eq!(engine.life(), Life::Serving, "its clock is right again");
}

#[test]
fn a_node_gives_up_neither_itself_nor_whom_it_does_not_know() {
    let (mut engine, mut host) = founder();
    let mut forget = |id| {
        let effects = engine.step(Input::Forget(node(id)), at(1), 0, &mut host);
        effects.into_iter().find_map(|effect| match effect {
            Effect::Forgot(done) => Some(done),
            _ => None,
        })
    };
    assert_eq!(forget(1), Some(Err(ForgetError::Itself)));
    assert_eq!(forget(9), Some(Err(ForgetError::Unknown)));
}

#[test]
fn who_is_given_up_is_told_of_once_and_counts_no_more() {
    let (mut engine, mut host) = founder();
    let question = Question::Join(hello(2, Life::Unborn, at(1).wall));
    engine.step(Input::Asked { peer: node(2), question }, at(1), 0, &mut host);
    assert!(engine.members.counts(node(2)));
    let effects = engine.step(Input::Forget(node(2)), at(2), 0, &mut host);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Gone { node: gone, standing: Standing::Forgotten } if *gone == node(2)
    )));
    assert!(!engine.members.counts(node(2)));
    let effects = engine.step(Input::MembersChanged, at(3), 0, &mut host);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Gone { .. })));
}

#[test]
fn a_node_whose_clock_is_ahead_of_the_one_that_asks_takes_nobody_in() {
    let (mut engine, mut host) = founder();
    let an_hour_ago = UnixMillis(at(1).wall.0 - 3_600_000);
    let question = Question::Join(hello(2, Life::Unborn, an_hour_ago));
    engine.step(Input::Asked { peer: node(2), question }, at(1), 0, &mut host);
    assert!(!engine.members.counts(node(2)));
}

#[test]
fn the_last_member_may_leave() {
    let (mut engine, mut host) = founder();
    let effects = engine.step(Input::Leave, at(1), 0, &mut host);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Left)));
    assert!(engine.members.is_gone(node(1)));
    assert!(!engine.gate(&host).open);
}

#[test]
fn answers_to_what_nobody_asked_change_nothing() {
    let (mut engine, mut host) = founder();
    let answer = Ok(Answer::Refused(Refusal::GivenUp));
    let effects = engine.step(Input::Answered { ask: AskId(77), answer }, at(1), 0, &mut host);
    assert!(effects.is_empty(), "{effects:?}");
}

#[test]
fn a_refusal_is_reported_once() {
    let (mut engine, mut host) = founder();
    engine.step(Input::Reachable(node(2)), at(1), 0, &mut host);
    let mut reports = 0;
    for second in 2..60 {
        let greeting = engine.peers.get(&node(2)).and_then(|peer| peer.greeting);
        let input = greeting.map_or(Input::Tick, |ask| {
            let refusal = Refusal::OtherCluster(Uuid::from_u128(9));
            Input::Answered { ask, answer: Ok(Answer::Refused(refusal)) }
        });
        let effects = engine.step(input, at(second), 0, &mut host);
        reports += effects.iter().filter(|one| matches!(one, Effect::Report(_))).count();
    }
    assert_eq!(reports, 1);
}

#[test]
fn a_node_that_comes_to_serve_tells_those_that_it_met() {
    let mut host = Empty::default();
    for id in [1, 2] {
        let (name, joined) = (id.to_string(), UnixMillis(1));
        let standing = Standing::Joined;
        host.members.put(Member { node: node(id), name, joined, admission: 7, standing });
    }
    let mut engine = engine(&host, true, true);
    let greetings = |effects: &[Effect]| {
        let greets = |effect: &Effect| match effect {
            Effect::Ask { ask, question: Question::Hello(hello), .. } => Some((*ask, hello.life)),
            _ => None,
        };
        effects.iter().filter_map(greets).collect::<Vec<_>>()
    };
    let effects = engine.step(Input::Reachable(node(2)), at(1), 0, &mut host);
    let [(ask, Life::CatchingUp)] = greetings(&effects)[..] else { panic!("{effects:?}") };
    let answer = Ok(Answer::Hello(hello(2, Life::Filling, at(1).wall)));
    let effects = engine.step(Input::Answered { ask, answer }, at(1), 0, &mut host);
    assert_eq!(greetings(&effects), []);
    let effects = engine.step(Input::Tick, at(32), 0, &mut host);
    assert_eq!(engine.life(), Life::Serving);
    assert!(matches!(greetings(&effects)[..], [(_, Life::Serving)]), "{effects:?}");
}

/// Both would find every difference, and send it.
#[test]
fn a_node_begins_no_comparison_with_one_that_goes_on_comparing_with_it() {
    let push = || Question::Push(Pulse::default(), None, Parcel::pack(&[]));
    let compares = || Input::Compares { peer: node(0) };
    let pushes = || Input::Asked { peer: node(0), question: push() };
    for goes_on in [&compares as &dyn Fn() -> Input, &pushes] {
        let (mut engine, mut host) = met_by_first();
        let begin = Question::Begin(Pulse::default());
        let begins = |effects: Vec<Effect>| {
            let begin = |effect: &Effect| {
                matches!(effect, Effect::Ask { question: Question::Begin(_), .. })
            };
            effects.iter().any(begin)
        };
        let asked = Input::Asked { peer: node(0), question: begin };
        assert!(!begins(engine.step(asked, at(1), 0, &mut host)));
        for second in 2..=8 {
            assert!(!begins(engine.step(goes_on(), at(second), 0, &mut host)), "{second} s");
        }
        assert!(begins(engine.step(Input::Tick, at(10), 0, &mut host)), "it went quiet");
    }
}

/// A member that was just met by another one, which goes first.
fn met_by_first() -> (Engine, Empty) {
    let mut host = Empty::default();
    for id in [0, 1] {
        let (name, joined) = (id.to_string(), UnixMillis(1));
        let standing = Standing::Joined;
        host.members.put(Member { node: node(id), name, joined, admission: 7, standing });
    }
    let mut engine = engine(&host, true, true);
    engine.step(Input::Reachable(node(0)), at(1), 0, &mut host);
    let census = engine.members.census();
    let question =
        Question::Hello(Box::new(Hello { census, ..*hello(0, Life::Serving, at(1).wall) }));
    engine.step(Input::Asked { peer: node(0), question }, at(1), 0, &mut host);
    (engine, host)
}

/// The other one is to find out by itself that nothing can be agreed.
#[test]
fn a_node_that_was_refused_leaves_its_peer_time_to_begin_a_comparison() {
    let (mut engine, mut host) = met_by_first();
    let begun = |effects: Vec<Effect>| {
        let begin = |effect: &Effect| match effect {
            Effect::Ask { ask, question: Question::Begin(_), .. } => Some(*ask),
            _ => None,
        };
        effects.iter().find_map(begin)
    };
    let ask = (2..=20).find_map(|second| begun(engine.step(Input::Tick, at(second), 0, &mut host)));
    let refusal = Refusal::ClockAhead { ahead_millis: 2, limit_millis: 1 };
    let answer = Ok(Answer::Refused(refusal));
    let answered = Input::Answered { ask: ask.unwrap(), answer };
    assert_eq!(begun(engine.step(answered, at(21), 0, &mut host)), None);
    // It was asked at 20 s at the latest, and leaves comparing to this node until 22 s.
    for second in [22, 23] {
        assert_eq!(begun(engine.step(Input::Tick, at(second), 0, &mut host)), None, "{second} s");
    }
    assert!(begun(engine.step(Input::Tick, at(24), 0, &mut host)).is_some());
}

#[test]
fn a_comparison_goes_on_only_with_the_run_and_the_horizon_that_it_began_with() {
    let (engine, mut host) = founder();
    let gate = engine.gate(&host);
    let wall = at(1).wall;
    let mut ask = |run, horizon| {
        let (_, request) = Conversation::start(Stamp::MIN, &host);
        let question = Question::Compare(run, Era::of(horizon), request);
        serve(question, &gate, wall, &mut host).unwrap().answer
    };
    let horizon = gate.pulse.horizon;
    assert!(matches!(ask(Run::of(7), horizon), Answer::Compared(_)));
    assert_eq!(ask(Run::of(8), horizon), Answer::Refused(Refusal::Restarted));
    let later = Stamp::at(horizon.millis().after(Duration::from_secs(1)));
    assert_eq!(ask(Run::of(7), later), Answer::Refused(Refusal::Moved));
}

#[test]
fn the_cluster_writes_in_the_next_format_once_every_member_understands_it() {
    let (mut engine, mut host) = founder();
    let upgrade = |engine: &mut Engine, host: &mut Empty| {
        let effects = engine.step(Input::Upgrade, at(3), 0, host);
        effects.into_iter().find_map(|effect| match effect {
            Effect::Upgraded(done) => Some(done),
            _ => None,
        })
    };
    let join = |engine: &mut Engine, host: &mut Empty, newest_format| {
        let hello = Hello { newest_format, ..*hello(2, Life::Unborn, at(1).wall) };
        let question = Question::Join(Box::new(hello));
        engine.step(Input::Asked { peer: node(2), question }, at(1), 0, host);
    };
    join(&mut engine, &mut host, 1);
    let older = UpgradeError::Older { name: "2".into(), newest: 1 };
    assert_eq!(upgrade(&mut engine, &mut host), Some(Err(older)));
    assert_eq!(host.raised, None);
    engine.step(Input::Unreachable(node(2)), at(2), 0, &mut host);
    assert_eq!(upgrade(&mut engine, &mut host), Some(Err(UpgradeError::Away("2".into()))));
    join(&mut engine, &mut host, 2);
    assert_eq!(upgrade(&mut engine, &mut host), Some(Ok(Format::Two)));
    assert_eq!(host.raised, Some(Format::Two));
    assert_eq!(upgrade(&mut engine, &mut host), Some(Ok(Format::Two)), "there is no later one");
}

#[test]
fn a_node_that_serves_and_is_in_no_record_writes_its_own() {
    let (mut engine, mut host) = founder();
    host.members = Members::default();
    engine.step(Input::MembersChanged, at(1), 0, &mut host);
    assert!(host.members.counts(node(1)), "{:?}", host.members);
    let gone =
        Member { standing: Standing::Forgotten, ..host.members.get(node(1)).unwrap().clone() };
    host.members.put(gone);
    engine.step(Input::MembersChanged, at(2), 0, &mut host);
    assert!(host.members.is_gone(node(1)), "whoever was given up does not come back by itself");
}

/// As where two clusters were born apart, and one of them stayed.
#[test]
fn a_member_whose_format_is_behind_is_raised_though_there_is_no_later_one() {
    let (mut engine, mut host) = founder();
    host.raised = Some(Format::Two);
    for (format, written) in [(2, 0), (1, 1)] {
        let question = Question::Join(hello(2, Life::Unborn, at(1).wall));
        engine.step(Input::Asked { peer: node(2), question }, at(1), 0, &mut host);
        let census = engine.members.census();
        let hello = Hello { census, format, ..*hello(2, Life::Serving, at(1).wall) };
        let question = Question::Hello(Box::new(hello));
        engine.step(Input::Asked { peer: node(2), question }, at(1), 0, &mut host);
        engine.step(Input::Upgrade, at(2), 0, &mut host);
        assert_eq!(host.raises, written, "the other one is in format {format}");
    }
}

#[test]
fn a_node_that_does_not_understand_what_the_cluster_writes_is_not_taken_in() {
    let (mut engine, mut host) = founder();
    host.raised = Some(Format::Two);
    let hello = Hello { newest_format: 1, ..*hello(2, Life::Unborn, at(1).wall) };
    let question = Question::Join(Box::new(hello));
    let effects = engine.step(Input::Asked { peer: node(2), question }, at(1), 0, &mut host);
    let refused = |effect: &Effect| {
        let expected = Refusal::Format { format: 2, newest: 1 };
        matches!(effect, Effect::Reply(Answer::Refused(refusal)) if *refusal == expected)
    };
    assert!(effects.iter().any(refused), "{effects:?}");
    assert!(!engine.members.counts(node(2)));
}

#[test]
fn a_store_that_left_starts_again_only_to_be_emptied() {
    let mut host = Empty::default();
    let standing = Standing::Left;
    let (name, joined) = ("one".into(), UnixMillis(1));
    host.members.put(Member { node: node(1), name, joined, admission: 7, standing });
    let mut engine = engine(&host, true, true);
    let effects = engine.step(Input::Tick, at(1), 0, &mut host);
    let emptied = |effect: &Effect| matches!(effect, Effect::Fenced { held, given_up: true } if *held == Stamp::MAX);
    assert!(effects.iter().any(emptied), "{effects:?}");
}
