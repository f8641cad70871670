//! Accounts of a cluster: what is done to them on one node is so on all.

use std::fs;

use kvs_client::{
    Client, ClientError, MetadataPatch, ModeSetting, NewAccount, NewToken, RotateKeys,
};

use crate::look::json;
use crate::process::Process;
use crate::site::{Home, PORT, Site};
use crate::wait;

const ON: &str = "auth_enabled: true\n";

/// Three nodes that ask who calls, and the token of the first user.
struct Guarded {
    nodes: [Process; 3],
    root: String,
    _site: Site,
}

impl Guarded {
    async fn new() -> Self {
        let site = Site::new();
        let homes = site.cluster::<3>(ON);
        let nodes = homes.each_ref().map(Home::start);
        for node in &nodes {
            node.serves().await;
        }
        let read = |home: &Home| fs::read_to_string(home.data().join("root-token")).ok();
        let found = async || homes.iter().find_map(read);
        let root = wait::until("the first token is kept", found).await.0.trim().to_owned();
        Self { nodes, root, _site: site }
    }

    fn client(&self, node: usize, token: &str) -> Client {
        Client::new(&self.nodes[node].url(), Some(token)).unwrap()
    }

    /// Waits until a node believes a token, or refuses it.
    async fn knows(&self, node: usize, token: &str, good: bool) {
        let client = self.client(node, token);
        let what = format!("node {node} believes the token: {good}");
        let answer = async || match client.whoami().await {
            Ok(_) => good.then_some(()),
            Err(ClientError::Problem(problem)) => (!good && problem.status == 401).then_some(()),
            Err(_) => None,
        };
        wait::until(&what, answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_made_on_one_node_logs_in_on_all_and_what_is_revoked_on_one_is_refused_on_all() {
    let site = Guarded::new().await;
    for node in 0..3 {
        site.knows(node, &site.root, true).await;
    }
    let first = site.client(0, &site.root);
    let scopes = ["read", "write", "delete"].map(str::to_owned).to_vec();
    first.create_user(&NewAccount { name: "ann".to_owned(), scopes }).await.unwrap();
    let ann = first
        .create_token(&NewToken { user: Some("ann".to_owned()), ..NewToken::default() })
        .await
        .unwrap();
    for node in 0..3 {
        site.knows(node, &ann.token, true).await;
    }
    // A token that was made on one node is revoked on another.
    let second = site.client(1, &site.root);
    let known = async || {
        second.tokens(Some("ann")).await.ok()?.iter().find(|t| t.id == ann.about.id).map(drop)
    };
    wait::until("the token's record is there", known).await;
    second.revoke_token(ann.about.id).await.unwrap();
    for node in [1, 0, 2] {
        site.knows(node, &ann.token, false).await;
    }
    let anonymous = Client::new(&site.nodes[2].url(), None).unwrap();
    assert_eq!(anonymous.get("a").await.unwrap_err().status(), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_given_the_cluster_file_by_its_seed_knows_the_same_root() {
    let site = Site::new();
    let first = site.alone(1, ON);
    let seeds = format!("{ON}seed_nodes: [\"{}:{PORT}\"]\n", site.ip(1));
    let second = site.alone(2, &seeds);
    let nodes = [first.start(), second.start()];
    for node in &nodes {
        node.serves().await;
    }
    let root = fs::read_to_string(first.data().join("root-token")).unwrap();
    for node in &nodes {
        let client = Client::new(&node.url(), Some(root.trim())).unwrap();
        let known = async || client.whoami().await.ok().and_then(|whoami| whoami.user);
        let (user, _) = wait::until("root is known", known).await;
        assert_eq!(user, "root");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_not_caught_up_judges_no_credentials_and_says_so() {
    let site = Site::new();
    site.cluster_file("cluster.kvs");
    let seeds = format!("{ON}seed_nodes: [\"{}:{PORT}\"]\n", site.ip(9));
    let node = site.member(1, 1, &seeds).start();
    let answers = async || node.client().health().await.ok();
    wait::until("it answers", answers).await;
    assert!(!node.client().readyz().await.unwrap());
    let client = Client::new(&node.url(), Some("any")).unwrap();
    assert_eq!(client.whoami().await.unwrap_err().status(), Some(503));
    assert_eq!(client.users().await.unwrap_err().status(), Some(503));
    assert_eq!(client.health().await.unwrap().node_id, None, "what is public stays so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chmod_on_one_node_and_a_write_on_another_at_the_same_moment_both_hold() {
    let site = Guarded::new().await;
    let [first, second, third] = [0, 1, 2].map(|node| site.client(node, &site.root));
    for node in 0..3 {
        site.knows(node, &site.root, true).await;
    }
    first.put("home/x", json("1")).await.unwrap();
    let there = async || third.get("home/x").await.ok().map(drop);
    wait::until("the key is there", there).await;
    let mode = Some(ModeSetting::Text("cdwr--------".to_owned()));
    let patch = MetadataPatch { mode, ..MetadataPatch::default() };
    let (moded, written) =
        tokio::join!(first.patch_metadata("home/x", &patch), second.put("home/x", json("2")));
    moded.unwrap();
    written.unwrap();
    for client in [&first, &second, &third] {
        let both = async || {
            let (stored, metadata) =
                (client.get("home/x").await.ok()?, client.metadata("home/x").await.ok()?);
            let both = stored.value.as_bytes() == b"2" && metadata.mode.text == "cdwr--------";
            both.then_some(())
        };
        wait::until("both hold", both).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_signing_key_signs_once_all_hold_it_and_tokens_of_the_old_one_live_on() {
    let site = Guarded::new().await;
    for node in 0..3 {
        site.knows(node, &site.root, true).await;
    }
    let first = site.client(0, &site.root);
    let rotated = first.rotate_keys(RotateKeys::default()).await.unwrap();
    let signs = async || {
        let made = first.create_token(&NewToken::default()).await.ok()?;
        (made.about.kid == rotated.kid).then_some(made.token)
    };
    let (token, _) = wait::until("the new key signs", signs).await;
    for node in 0..3 {
        site.knows(node, &token, true).await;
        site.knows(node, &site.root, true).await;
    }
}
