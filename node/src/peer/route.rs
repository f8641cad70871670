//! The table of peer routes: what can be asked, by whom, and how large it may be.

/// Where all routes begin. The number is that of the transport; what the bodies mean is negotiated
/// in `hello`.
const PREFIX: &str = "/peer/v1/";

/// Requests and answers of a few fields.
const SMALL: usize = 64 << 10;
/// Lists: of members, of digests.
const MEDIUM: usize = 4 << 20;
/// Versions: the largest value that settings allow (64 MiB), and what travels with it.
const LARGE: usize = 72 << 20;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Nodes of the cluster.
    Nodes,
    /// Nodes of the cluster, and its operator.
    NodesAndOperator,
    /// The cluster's operator.
    Operator,
    /// Whoever connects from this machine, and nobody else.
    ThisMachine,
}

/// What a node or the operator can ask of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerRoute {
    /// Who both are, what they speak, what their clocks say.
    Hello,
    /// Who the members are.
    Members,
    /// What this node wrote after a position: endless.
    Stream,
    /// To compare: where both clocks stand.
    Begin,
    /// A turn of a comparison of digests.
    Compare,
    /// Versions that the caller lacks.
    Fetch,
    /// Versions that this node lacks.
    Push,
    /// Records in the order of their positions: long.
    Range,
    /// To be taken in as a member.
    Join,
    /// That a comparison is complete and on disk.
    Agree,
    /// The cluster file, for a node without one.
    Birth,
    /// How this node is.
    Status,
    /// The head of this node's tamper-evident log.
    Audit,
    /// What this node is to do.
    Duty,
    /// A request of the API about accounts or backups, as by whoever owns the cluster.
    Relay,
}

/// A row of the table.
struct Row {
    route: PeerRoute,
    name: &'static str,
    callers: Callers,
    /// Most bytes of a request.
    request: usize,
    /// Most bytes of an answer, or of one message where the answer is a stream.
    answer: usize,
    /// Whether the answer is a stream of messages.
    streams: bool,
}

const fn row(
    route: PeerRoute,
    name: &'static str,
    callers: Callers,
    (request, answer): (usize, usize),
    streams: bool,
) -> Row {
    Row { route, name, callers, request, answer, streams }
}

/// In the order of the enum.
#[rustfmt::skip]
static TABLE: [Row; PeerRoute::COUNT] = {
    use Callers::{Nodes, NodesAndOperator, Operator, ThisMachine};
    use PeerRoute as Is;
    [
        row(Is::Hello,   "hello",   NodesAndOperator, (SMALL,  SMALL),  false),
        row(Is::Members, "members", NodesAndOperator, (MEDIUM, MEDIUM), false),
        row(Is::Stream,  "stream",  Nodes,            (SMALL,  LARGE),  true),
        row(Is::Begin,   "begin",   Nodes,            (SMALL,  SMALL),  false),
        row(Is::Compare, "compare", Nodes,            (MEDIUM, MEDIUM), false),
        row(Is::Fetch,   "fetch",   Nodes,            (MEDIUM, LARGE),  false),
        row(Is::Push,    "push",    Nodes,            (LARGE,  SMALL),  false),
        row(Is::Range,   "range",   Nodes,            (SMALL,  LARGE),  false),
        row(Is::Join,    "join",    Nodes,            (SMALL,  MEDIUM), false),
        row(Is::Agree,   "agree",   Nodes,            (SMALL,  SMALL),  false),
        row(Is::Birth,   "birth",   ThisMachine,      (SMALL,  SMALL),  false),
        row(Is::Status,  "status",  NodesAndOperator, (SMALL,  MEDIUM), false),
        row(Is::Audit,   "audit",   NodesAndOperator, (SMALL,  SMALL),  false),
        row(Is::Duty,    "duty",    Operator,         (SMALL,  SMALL),  false),
        row(Is::Relay,   "relay",   Operator,         (SMALL,  MEDIUM), false),
    ]
};

impl PeerRoute {
    /// How many there are.
    pub const COUNT: usize = 15;

    /// Every route.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.route)
    }

    /// The route at this path.
    pub fn at(path: &str) -> Option<Self> {
        let name = path.strip_prefix(PREFIX)?;
        TABLE.iter().find(|row| row.name == name).map(|row| row.route)
    }

    /// Its path.
    pub fn path(self) -> String {
        format!("{PREFIX}{}", self.name())
    }

    /// Its name, as in the path; also its label in metrics.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Who may call it.
    pub const fn callers(self) -> Callers {
        self.row().callers
    }

    /// Most bytes of a request.
    pub const fn request_limit(self) -> usize {
        self.row().request
    }

    /// Most bytes of an answer, or of one message where the answer is a stream.
    pub const fn answer_limit(self) -> usize {
        self.row().answer
    }

    /// Whether the answer is a stream of messages: [`super::PeerLink::open`] calls it, and not
    /// [`super::PeerLink::ask`].
    pub const fn streams(self) -> bool {
        self.row().streams
    }

    /// Its place in the table.
    pub(super) const fn place(self) -> usize {
        self as usize
    }

    const fn row(self) -> &'static Row {
        &TABLE[self.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_at_its_own_row_and_path() {
        for (at, route) in PeerRoute::all().enumerate() {
            assert_eq!(route.place(), at, "{}", route.name());
            assert_eq!(PeerRoute::at(&route.path()), Some(route));
        }
        for path in ["", "/peer/v1/", "/peer/v1/Hello", "/peer/v2/hello", "/peer/v1/hello/"] {
            assert_eq!(PeerRoute::at(path), None, "{path}");
        }
    }

    #[test]
    fn only_birth_is_for_whoever_connects() {
        let open = PeerRoute::all().filter(|route| route.callers() == Callers::ThisMachine);
        assert_eq!(open.collect::<Vec<_>>(), [PeerRoute::Birth]);
    }
}
