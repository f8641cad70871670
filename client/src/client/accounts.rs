//! Users, groups, tokens and signing keys.

use reqwest::{Method, Url};
use uuid::Uuid;

use super::{Client, body::json};
use crate::{
    ClientError, CreatedToken, Explanation, Group, GroupMember, GroupPatch, NewAccount, NewToken,
    Page, RotateKeys, RotatedKeys, Token, TokenKey, User, UserPatch, WhoAmI,
};

/// The most items of a page.
const PAGE: &str = "1000";

impl Client {
    /// Who this client is to the node, and what it may do.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the token is not believed, or the node asks for none.
    pub async fn whoami(&self) -> Result<WhoAmI, ClientError> {
        self.call(self.request(Method::GET, self.route("api/whoami"))).await
    }

    /// Whether the caller, or another user, may do something with a key, and why.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the action is none, or another's may not be seen.
    pub async fn explain(
        &self,
        key: &str,
        action: &str,
        user: Option<&str>,
    ) -> Result<Explanation, ClientError> {
        let mut url = self.route("api/explain");
        url.query_pairs_mut().append_pair("key", key).append_pair("action", action);
        if let Some(user) = user {
            url.query_pairs_mut().append_pair("user", user);
        }
        self.call(self.request(Method::GET, url)).await
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the name is in use, or the caller lacks one of the scopes.
    pub async fn create_user(&self, user: &NewAccount) -> Result<User, ClientError> {
        self.call(json(self.request(Method::POST, self.route("api/users")), user)?).await
    }

    /// Lists all users, by name.
    ///
    /// # Errors
    /// As all that follow: [`ClientError::Problem`] where the caller may not.
    pub async fn users(&self) -> Result<Vec<User>, ClientError> {
        self.whole(self.route("api/users")).await
    }

    /// Reads a user.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none.
    pub async fn user(&self, name: &str) -> Result<User, ClientError> {
        self.call(self.request(Method::GET, self.account("users", &[name]))).await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none, or they hold what the caller lacks.
    pub async fn update_user(&self, name: &str, patch: &UserPatch) -> Result<User, ClientError> {
        let request = self.request(Method::PATCH, self.account("users", &[name]));
        self.call(json(request, patch)?).await
    }

    /// Deletes a user for good.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none, or they hold what the caller lacks.
    pub async fn delete_user(&self, name: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, self.account("users", &[name]));
        self.send(request).await.map(drop)
    }

    /// Makes a group.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the name is in use, or the caller lacks one of the scopes.
    pub async fn create_group(&self, group: &NewAccount) -> Result<Group, ClientError> {
        self.call(json(self.request(Method::POST, self.route("api/groups")), group)?).await
    }

    /// Lists all groups, by name.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller may not.
    pub async fn groups(&self) -> Result<Vec<Group>, ClientError> {
        self.whole(self.route("api/groups")).await
    }

    /// Reads a group.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none.
    pub async fn group(&self, name: &str) -> Result<Group, ClientError> {
        self.call(self.request(Method::GET, self.account("groups", &[name]))).await
    }

    /// Changes a group.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none, or it holds what the caller lacks.
    pub async fn update_group(&self, name: &str, patch: &GroupPatch) -> Result<Group, ClientError> {
        let request = self.request(Method::PATCH, self.account("groups", &[name]));
        self.call(json(request, patch)?).await
    }

    /// Deletes a group.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none, or it holds what the caller lacks.
    pub async fn delete_group(&self, name: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, self.account("groups", &[name]));
        self.send(request).await.map(drop)
    }

    /// Lists who is in a group, by name.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none.
    pub async fn group_members(&self, group: &str) -> Result<Vec<GroupMember>, ClientError> {
        self.whole(self.account("groups", &[group, "members"])).await
    }

    /// Puts a user into a group.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where one is not there, or they would hold what the caller lacks.
    pub async fn add_member(&self, group: &str, user: &str) -> Result<(), ClientError> {
        let url = self.account("groups", &[group, "members", user]);
        self.send(self.request(Method::PUT, url)).await.map(drop)
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where they are not in it, or hold what the caller lacks.
    pub async fn remove_member(&self, group: &str, user: &str) -> Result<(), ClientError> {
        let url = self.account("groups", &[group, "members", user]);
        self.send(self.request(Method::DELETE, url)).await.map(drop)
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where it would permit what the caller lacks.
    pub async fn create_token(&self, token: &NewToken) -> Result<CreatedToken, ClientError> {
        self.call(json(self.request(Method::POST, self.route("api/tokens")), token)?).await
    }

    /// Lists what is known of all tokens, or of one user's.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller may not.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<Token>, ClientError> {
        let mut url = self.route("api/tokens");
        if let Some(user) = user {
            url.query_pairs_mut().append_pair("user", user);
        }
        self.whole(url).await
    }

    /// Has a token refused from now on.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is none, or it permits what the caller lacks.
    pub async fn revoke_token(&self, id: Uuid) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, self.account("tokens", &[&id.to_string()]));
        self.send(request).await.map(drop)
    }

    /// Lists the keys that tokens are signed with.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller may not.
    pub async fn token_keys(&self) -> Result<Vec<TokenKey>, ClientError> {
        self.whole(self.route("api/keys")).await
    }

    /// Makes a new key that tokens are signed with.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller does not hold every scope.
    pub async fn rotate_keys(&self, rotate: RotateKeys) -> Result<RotatedKeys, ClientError> {
        self.call(json(self.request(Method::POST, self.route("api/keys")), &rotate)?).await
    }

    fn account(&self, of: &str, names: &[&str]) -> Url {
        let mut url = self.route(&format!("api/{of}"));
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(names);
        }
        url
    }

    async fn whole<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<Vec<T>, ClientError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("limit", PAGE);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let page: Page<T> = self.call(self.request(Method::GET, url)).await?;
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}
