//! Asking about the cluster, and telling the node its part in it.
//!
//! Until there are accounts a node takes what changes anything here only from its own machine.

use reqwest::Method;

use super::{Client, body::json};
use crate::{ClientError, ClusterStatus, Drained, ForgetRequest, Health, ModeRequest, NodeMode};

impl Client {
    /// How the cluster is, as the node sees it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the node stands alone, or waits for its cluster file.
    pub async fn cluster(&self) -> Result<ClusterStatus, ClientError> {
        self.call(self.request(Method::GET, self.route("cluster"))).await
    }

    /// Has the node compare with all peers at once; answers how the cluster is as that begins.
    ///
    /// # Errors
    /// As [`Client::cluster`].
    pub async fn sync(&self) -> Result<ClusterStatus, ClientError> {
        self.call(self.request(Method::POST, self.route("cluster/sync"))).await
    }

    /// Has the node take clients' writes or refuse them, after a restart too.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where its configuration says `read_only`, which wins.
    pub async fn set_mode(&self, mode: NodeMode) -> Result<Health, ClientError> {
        let request = self.request(Method::POST, self.route("cluster/mode"));
        self.call(json(request, &ModeRequest { mode })?).await
    }

    /// Has the node leave its cluster for good. It answers as that begins; [`Client::cluster`] says
    /// how far it is.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where it is the only member.
    pub async fn leave(&self) -> Result<ClusterStatus, ClientError> {
        self.call(self.request(Method::POST, self.route("cluster/leave"))).await
    }

    /// Gives up another member, by its id or name. What it alone has is lost to the cluster.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where there is no such member, or it can be reached.
    pub async fn forget(&self, node: &str) -> Result<ClusterStatus, ClientError> {
        let request = self.request(Method::POST, self.route("cluster/forget"));
        self.call(json(request, &ForgetRequest { node: node.to_owned() })?).await
    }

    /// Has the cluster write in the next format, if there is one: `format` of the answer is in force.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where not every member is known to understand it.
    pub async fn upgrade(&self) -> Result<ClusterStatus, ClientError> {
        self.call(self.request(Method::POST, self.route("cluster/upgrade"))).await
    }

    /// Has the node ask for no more requests, and send what it accepted to another node.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn drain(&self) -> Result<Drained, ClientError> {
        self.call(self.request(Method::POST, self.route("cluster/drain"))).await
    }
}
