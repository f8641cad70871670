//! Sets of scopes: what tokens, users and groups hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Right, Scope, ScopeError};
use crate::key::Key;

/// The most scopes that a token, user or group may name. Sixteen prefixes for each right on keys
/// fit, and a token with all of them at a usual length still fits into a request's headers.
pub const MAX_SCOPES: usize = 64;

/// Scopes of which none covers another, in order. What a set permits is what any scope in it does.
///
/// Laws, each a property test: `intersection` permits exactly what both sides permit, `union`
/// exactly what either does; both are commutative and idempotent; [`Self::lacking`] finds nothing
/// only where the one side permits all that the other does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// The set that permits nothing.
    pub const EMPTY: Self = Self(Vec::new());

    /// The set that permits everything.
    pub fn everything() -> Self {
        Self(vec![Scope::everything()])
    }

    /// The set that the texts spell.
    ///
    /// # Errors
    ///
    /// The first text that is no scope, or there are more than [`MAX_SCOPES`].
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, ScopeError> {
        let mut scopes = Vec::new();
        for text in texts {
            if scopes.len() == MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            scopes.push(text.as_ref().parse()?);
        }
        Ok(scopes.into_iter().collect())
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether the set permits nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `right` is permitted without limits: what routes that are about no key ask.
    pub fn permits(&self, right: Right) -> bool {
        self.0.iter().any(|scope| scope.permits(right))
    }

    /// Whether `right` is permitted on `key`.
    pub fn permits_on(&self, right: Right, key: &Key) -> bool {
        self.0.iter().any(|scope| scope.permits_on(right, key))
    }

    /// Whether `right` is permitted on any key at all: what lists ask before they ask for each key.
    pub fn permits_somewhere(&self, right: Right) -> bool {
        self.0.iter().any(|scope| scope.permits_somewhere(right))
    }

    /// Whether any scope is an administrator's.
    pub fn administers(&self) -> bool {
        self.0.iter().any(Scope::administers)
    }

    /// Whether one scope of the set covers `scope`.
    pub fn covers(&self, scope: &Scope) -> bool {
        self.0.iter().any(|held| held.covers(scope))
    }

    /// The first scope of this set that `held` does not cover: what somebody who holds `held`
    /// cannot give.
    ///
    /// A wildcard is covered by a wildcard alone, and not by all the rights that it stands for
    /// today: it will stand for those of later releases too.
    pub fn lacking(&self, held: &Self) -> Option<&Scope> {
        self.0.iter().find(|scope| !held.covers(scope))
    }

    /// What both permit.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.0.iter().flat_map(|a| other.0.iter().filter_map(|b| a.meet(b))).collect()
    }

    /// What either permits.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).cloned().collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut all: Vec<_> = scopes.into_iter().collect();
        all.sort();
        all.dedup();
        let covered = |at: usize| {
            all.iter().enumerate().any(|(other, scope)| other != at && scope.covers(&all[at]))
        };
        let kept: Vec<_> = (0..all.len()).map(|at| !covered(at)).collect();
        let mut kept = kept.into_iter();
        all.retain(|_| kept.next().unwrap_or(true));
        Self(all)
    }
}

impl TryFrom<Vec<String>> for ScopeSet {
    type Error = ScopeError;

    fn try_from(texts: Vec<String>) -> Result<Self, Self::Error> {
        Self::parse(texts)
    }
}

impl From<ScopeSet> for Vec<String> {
    fn from(set: ScopeSet) -> Self {
        set.0.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
