//! Why peers are turned away.

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The certificate is not of this cluster, or they do not believe ours.
    Outsider,
    /// It is not TLS.
    NotTls,
    /// It is TLS, of a kind that is not allowed.
    OtherTls,
    /// The handshake took too long.
    Slow,
    /// The handshake broke off.
    BrokenOff,
    /// Too many have not yet said who they are.
    TooManyStrangers,
    /// There are too many connections.
    TooManyConnections,
    /// A route that needs a certificate was called without one.
    NoCertificate,
    /// A route was called that is not for this role.
    NotAllowed,
    /// There is no such route.
    UnknownRoute,
    /// The request is larger than its route allows.
    TooLarge,
    /// The request's body did not arrive in time.
    SlowBody,
    /// The handler refused, the caller being at fault.
    Declined,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Outsider,
        Self::NotTls,
        Self::OtherTls,
        Self::Slow,
        Self::BrokenOff,
        Self::TooManyStrangers,
        Self::TooManyConnections,
        Self::NoCertificate,
        Self::NotAllowed,
        Self::UnknownRoute,
        Self::TooLarge,
        Self::SlowBody,
        Self::Declined,
    ];

    /// Its name: in the log, as a label in metrics, as the code of a refusal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outsider => "outsider",
            Self::NotTls => "not-tls",
            Self::OtherTls => "other-tls",
            Self::Slow => "slow",
            Self::BrokenOff => "broken-off",
            Self::TooManyStrangers => "too-many-strangers",
            Self::TooManyConnections => "too-many-connections",
            Self::NoCertificate => "no-certificate",
            Self::NotAllowed => "not-allowed",
            Self::UnknownRoute => "unknown-route",
            Self::TooLarge => "too-large",
            Self::SlowBody => "slow-body",
            Self::Declined => "declined",
        }
    }
}
