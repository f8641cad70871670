//! TokenReview: the API server itself is asked about a token.

use kvs_core::account::Name;
use kvs_core::token::TokenError;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::fetch::{FetchError, Fetcher, WITHIN, address};

/// The most questions at once; whoever comes then waits.
const AT_ONCE: usize = 8;

/// Asks an API server about tokens.
pub(super) struct Review {
    url: String,
    fetcher: Fetcher,
    questions: Semaphore,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    user: User,
    #[serde(default)]
    audiences: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

impl Review {
    pub(super) fn new(server: &str, fetcher: Fetcher) -> Self {
        let url = format!("{server}/apis/authentication.k8s.io/v1/tokenreviews");
        Self { url, fetcher, questions: Semaphore::new(AT_ONCE) }
    }

    /// Whose token the server says that it is, and in which groups they are.
    pub(super) async fn ask(
        &self,
        token: &str,
        audience: &str,
    ) -> Result<Result<(Name, Vec<Name>), TokenError>, FetchError> {
        let question = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": { "token": token, "audiences": [audience] },
        });
        let turn = tokio::time::timeout(WITHIN, self.questions.acquire()).await;
        let Ok(_turn) = turn else {
            let reason = format!("{AT_ONCE} questions are open, and none was answered in time");
            return Err(FetchError::Failed { url: self.url.clone(), reason });
        };
        let url = address(&self.url)?;
        let Answer { status } = self.fetcher.post(&url, &question, "a TokenReview").await?;
        Ok(said(status, audience))
    }
}

fn said(status: Status, audience: &str) -> Result<(Name, Vec<Name>), TokenError> {
    if !status.authenticated {
        return Err(TokenError::Disowned);
    }
    // A server that knows no audiences says none, and its word is not enough.
    if !status.audiences.iter().any(|found| found == audience) {
        let (found, expected) = (status.audiences.join(", "), audience.to_owned());
        return Err(TokenError::Audience { found, expected });
    }
    let User { username, groups } = status.user;
    let user = username.parse().map_err(|_no_name| TokenError::Unmapped(username))?;
    Ok((user, groups.iter().filter_map(|group| group.parse().ok()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_for_our_audience_counts() {
        let of = |json: serde_json::Value| {
            let Answer { status } = serde_json::from_value(json).unwrap();
            said(status, "kvs")
        };
        let user = json!({ "username": "system:serviceaccount:a:b", "groups": ["x", "a b"] });
        let yes =
            json!({ "status": { "authenticated": true, "user": user, "audiences": ["kvs"] } });
        let (name, groups) = of(yes).unwrap();
        assert_eq!((name.as_str(), groups.len()), ("system:serviceaccount:a:b", 1));
        for no in [
            json!({}),
            json!({ "status": {} }),
            json!({ "status": { "authenticated": false, "user": user, "audiences": ["kvs"] } }),
        ] {
            assert_eq!(of(no), Err(TokenError::Disowned));
        }
        for audiences in [json!([]), json!(["other"])] {
            let status = json!({ "authenticated": true, "user": user, "audiences": audiences });
            assert!(matches!(of(json!({ "status": status })), Err(TokenError::Audience { .. })));
        }
        let nobody = json!({ "authenticated": true, "audiences": ["kvs"] });
        let unmapped = TokenError::Unmapped(String::new());
        assert_eq!(of(json!({ "status": nobody })), Err(unmapped));
    }
}
