//! Who judges the tokens of one issuer.

use std::sync::Arc;
use std::time::Duration;

use kvs_config::{Kubernetes, OidcIssuer};
use kvs_core::UnixMillis;
use kvs_core::account::Name;
use kvs_core::token::{TokenError, Unverified};

use super::claims::{Claims, Mapping};
use super::fetch::{FetchError, Fetcher};
use super::known::{Keys, Place};
use super::review::Review;
use super::{Doubt, GOOD_FOR, REVIEWED_FOR, Vouched};
use crate::accounts::Outside;
use crate::time::WallClock;

/// What an API server calls a ServiceAccount begins with.
const ACCOUNT: &str = "system:serviceaccount:";
/// The group of all of them; those of one namespace have one that begins with it.
const ACCOUNTS: &str = "system:serviceaccounts";

/// Judges the tokens of one issuer.
pub(super) struct Judge {
    /// The exact `iss` of its tokens.
    pub(super) issuer: String,
    audience: String,
    way: Way,
}

/// How tokens are judged.
enum Way {
    /// By the issuer's keys; its claims say who somebody is.
    Claims(Keys, Mapping),
    /// By the keys of an API server, for its ServiceAccounts.
    Accounts(Keys),
    /// By the API server itself.
    Review(Review),
}

impl Judge {
    pub(super) fn of_issuer(issuer: &OidcIssuer, clock: &Arc<dyn WallClock>) -> Self {
        let described = || Place::Described(issuer.issuer.clone());
        let place = issuer.jwks_uri.clone().map_or_else(described, Place::At);
        let fetcher = Fetcher { ca_file: issuer.ca_file.clone(), token_file: None };
        let mapping = Mapping {
            prefix: issuer.prefix.clone(),
            user: issuer.user_claim.clone().unwrap_or_else(|| "sub".to_owned()),
            groups: issuer.groups_claim.clone(),
        };
        Self {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            way: Way::Claims(Keys::new(place, fetcher, clock.clone()), mapping),
        }
    }

    /// Nothing if no ServiceAccounts are believed.
    pub(super) fn of_kubernetes(of: &Kubernetes, clock: &Arc<dyn WallClock>) -> Option<Self> {
        let audience = of.audience.clone()?;
        let server = of.api_server.strip_suffix('/').unwrap_or(&of.api_server).to_owned();
        // Within this machine there is no certificate to trust.
        let ca_file = server.starts_with("https:").then(|| of.ca_file.clone());
        let fetcher = Fetcher { ca_file, token_file: Some(of.token_file.clone()) };
        let way = if of.token_review {
            Way::Review(Review::new(&server, fetcher))
        } else {
            let place = Place::At(format!("{server}/openid/v1/jwks"));
            Way::Accounts(Keys::new(place, fetcher, clock.clone()))
        };
        Some(Self { issuer: of.issuer.clone(), audience, way })
    }

    /// For whom a token vouches that says to be of this issuer.
    pub(super) async fn vouches(
        &self,
        token: &str,
        unverified: Unverified,
        now: UnixMillis,
        drift: Duration,
    ) -> Result<Vouched, Doubt> {
        let (claims, reviewed): (Claims, _) = match &self.way {
            Way::Claims(keys, _) | Way::Accounts(keys) => {
                (self.verified(keys, unverified).await?, None)
            }
            Way::Review(review) => {
                let reviewed = review.ask(token, &self.audience).await;
                let reviewed = reviewed.map_err(|error| {
                    tracing::warn!(%error, "an API server cannot be asked about a token");
                    self.unreachable(&error)
                })??;
                (unverified.vouched().read()?, Some(reviewed))
            }
        };
        let period = claims.check(&self.audience, now, drift)?;
        let (user, groups) = match (&self.way, reviewed) {
            (_, Some(reviewed)) => reviewed,
            (Way::Claims(_, mapping), None) => mapping.apply(&claims)?,
            (Way::Accounts(_) | Way::Review(_), None) => account(&claims)?,
        };
        let good_for = match self.way {
            Way::Review(_) => REVIEWED_FOR,
            Way::Claims(..) | Way::Accounts(_) => GOOD_FOR,
        };
        let outside = Outside { by: self.issuer.clone(), user, groups, period };
        Ok(Vouched { outside, until: now.after(good_for) })
    }

    async fn verified(&self, keys: &Keys, unverified: Unverified) -> Result<Claims, Doubt> {
        let kid = unverified.kid().map(str::to_owned);
        let known = keys.with(kid.as_deref()).await.map_err(|error| self.unreachable(&error))?;
        let unknown = || TokenError::UnknownKey(kid.clone().unwrap_or_default());
        let key = known.find(kid.as_deref()).ok_or_else(unknown)?;
        let fits = |signed: &[u8], signature: &[u8]| key.fits(signed, signature);
        Ok(unverified.verify(key.algorithm, fits)?.read()?)
    }

    fn unreachable(&self, error: &FetchError) -> Doubt {
        Doubt::Unreachable { issuer: self.issuer.clone(), reason: error.to_string() }
    }
}

/// The ServiceAccount that a token is of, and its groups, as the API server would say them.
fn account(claims: &Claims) -> Result<(Name, Vec<Name>), TokenError> {
    let no_account = || TokenError::Malformed("it is not of a ServiceAccount");
    let user = claims.text("sub").ok_or_else(no_account)?;
    let (namespace, name) = user
        .strip_prefix(ACCOUNT)
        .and_then(|account| account.split_once(':'))
        .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
        .ok_or_else(no_account)?;
    if name.contains(':') {
        return Err(no_account());
    }
    let groups = [ACCOUNTS.to_owned(), format!("{ACCOUNTS}:{namespace}")];
    let groups = groups.iter().filter_map(|group| group.parse().ok()).collect();
    let user = user.parse().map_err(|_no_name| TokenError::Unmapped(user.to_owned()))?;
    Ok((user, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_in_the_groups_of_all_and_of_its_namespace() {
        let of = |sub: &str| {
            let claims = serde_json::from_value(serde_json::json!({ "sub": sub })).unwrap();
            let (user, groups) = account(&claims)?;
            Ok((user.to_string(), groups.iter().map(Name::to_string).collect::<Vec<_>>()))
        };
        let (user, groups) = of("system:serviceaccount:shop:cart").unwrap();
        assert_eq!(user, "system:serviceaccount:shop:cart");
        assert_eq!(groups, ["system:serviceaccounts", "system:serviceaccounts:shop"]);
        for sub in [
            "",
            "root",
            "system:serviceaccount:",
            "system:serviceaccount:shop",
            "system:serviceaccount::cart",
            "system:serviceaccount:shop:",
            "system:serviceaccount:shop:cart:x",
            "system:node:a",
        ] {
            assert_eq!(
                of(sub),
                Err(TokenError::Malformed("it is not of a ServiceAccount")),
                "{sub}"
            );
        }
        let long = format!("system:serviceaccount:shop:{}", "x".repeat(102));
        assert_eq!(of(&long), Err(TokenError::Unmapped(long.clone())));
        assert!(of(&long[..128]).is_ok());
    }
}
