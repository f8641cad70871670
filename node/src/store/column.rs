//! The names of the columns.

/// A column: rows of one concern, a column family of its own on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Record → its current version.
    Data,
    /// Local commit sequence → record: what changed here in which order.
    Log,
    /// Stamp, record → nothing: what changed when.
    ByTime,
    /// Stamp of death, record → nothing: what is dead or will be.
    Dies,
    /// Key, inverted stamp, uuid → an older version and why it was superseded.
    Revisions,
    /// Position in the digest tree, record → stamp and uuid.
    Hidx,
    /// Sequence → entry of the tamper-evident log.
    Audit,
    /// Name → what this node knows about itself.
    Local,
}

impl Column {
    /// Every column.
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Log,
        Self::ByTime,
        Self::Dies,
        Self::Revisions,
        Self::Hidx,
        Self::Audit,
        Self::Local,
    ];

    /// The column family's name on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Log => "log",
            Self::ByTime => "by_time",
            Self::Dies => "dies",
            Self::Revisions => "revisions",
            Self::Hidx => "hidx",
            Self::Audit => "audit",
            Self::Local => "local",
        }
    }

    /// Whether a row of this column is put once and then deleted, never overwritten: the store may
    /// then forget both at their first meeting.
    pub const fn written_once(self) -> bool {
        matches!(self, Self::Log | Self::ByTime | Self::Dies)
    }

    /// Whether rows say where others are and hold little themselves.
    pub const fn is_index(self) -> bool {
        matches!(self, Self::Log | Self::ByTime | Self::Dies | Self::Hidx)
    }

    /// Whether rows are looked up one by one, so that a filter pays.
    pub const fn looked_up(self) -> bool {
        matches!(self, Self::Data | Self::Revisions)
    }
}
