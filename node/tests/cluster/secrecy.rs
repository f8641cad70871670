//! No log at any level has a key, a value or a token in it.

use kvs_client::{Client, MetadataPatch, ModeSetting, NewAccount, NewToken, RotateKeys};

use crate::look::{all_agree, all_meet, fill, json};
use crate::process::Process;
use crate::site::{Home, Site};
use crate::wait;

const KEY: &str = "plantedkey";
const VALUE: &str = "plantedvalue";
const TOKEN: &str = "plantedtoken";
const SETTINGS: &str = "log_level: trace\nlimits:\n  value_size: 64KiB\n";

fn key(of: &str) -> String {
    format!("{KEY}/{of}")
}

fn value(of: &str) -> String {
    format!(r#"{{"{of}":"{VALUE}"}}"#)
}

/// Requests of every kind, right and wrong, with what must not be told in each part of them.
async fn plant(node: &Process) {
    let client = Client::new(&node.url(), Some(TOKEN)).unwrap();
    fill(node, KEY, 20, |_| value("filled")).await;
    client.put(&key("a"), json(&value("put"))).await.unwrap();
    client.put(&key("a"), json(&value("again"))).await.unwrap();
    client.put(&key("gone"), json(&value("gone"))).await.unwrap();
    client.delete(&key("gone")).await.unwrap();
    let http = reqwest::Client::new();
    let send = async |method: &str, path: &str, body: String| {
        let url = format!("{}{path}", node.url());
        let request = http.request(method.parse().unwrap(), url).bearer_auth(TOKEN);
        let request = request.header("content-type", "application/json").body(body);
        // Some of them are cut off, which is an answer too.
        drop(request.send().await);
    };
    for (method, path) in [
        ("GET", format!("/kv/{KEY}/a")),
        ("GET", format!("/kv/{KEY}/never")),
        ("GET", format!("/kv/{KEY}/_ls?metadata")),
        ("GET", format!("/kv/{KEY}/_tree?after={VALUE}")),
        ("GET", format!("/kv/{KEY}/_changes?since={VALUE}")),
        ("GET", format!("/kv/{KEY}/a/_history")),
        ("GET", format!("/kv/{KEY}//x?{VALUE}={TOKEN}")),
        ("GET", format!("/kv/{KEY}/%00{VALUE}")),
        ("GET", format!("/{KEY}/{VALUE}?token={TOKEN}")),
        ("PATCH", format!("/kv/{KEY}/a")),
        ("PATCH", format!("/kv/{KEY}/a/_metadata")),
        ("POST", format!("/kv/{KEY}/a/_restore")),
        ("POST", "/kv/_batch".to_owned()),
        ("DELETE", format!("/kv/{KEY}/never")),
        ("PUT", format!("/kv/{KEY}/a?ttl={VALUE}")),
        ("GET", format!("/api/audit?key={KEY}/a")),
        ("DELETE", format!("/api/backups/{VALUE}")),
        ("POST", "/cluster/mode".to_owned()),
    ] {
        send(method, &path, value("body")).await;
        send(method, &path, format!("{{\"{KEY}\": {VALUE}")).await;
        send(method, &path, format!("\"{}\"", VALUE.repeat(8_000))).await;
    }
    let gets = format!(r#"{{"items":[{{"op":"get","key":"{KEY}/a"}},{{"op":"{VALUE}"}}]}}"#);
    send("POST", "/kv/_batch", gets).await;
}

/// The lines of a log that tell what must not be told.
fn leaks<'a>(said: &'a str, words: &[&str]) -> Vec<&'a str> {
    said.lines().filter(|line| words.iter().any(|word| line.contains(word))).collect()
}

/// Accounts, tokens good and bad, and what is denied; every token that was shown or made.
async fn plant_accounts(node: &Process, root: &str) -> Vec<String> {
    let client = |token: &str| Client::new(&node.url(), Some(token)).unwrap();
    let by_root = client(root);
    let name = format!("{KEY}-user");
    let scopes = ["read", "write"].map(str::to_owned).to_vec();
    by_root.create_user(&NewAccount { name: name.clone(), scopes }).await.unwrap();
    let wanted = NewToken { user: Some(name.clone()), ..NewToken::default() };
    let made = by_root.create_token(&wanted).await.unwrap();
    let by_user = client(&made.token);
    by_root.put(&key("roots"), json(&value("put"))).await.unwrap();
    let mode = Some(ModeSetting::Text("cdwr--------".to_owned()));
    let private = MetadataPatch { mode, ..MetadataPatch::default() };
    by_root.patch_metadata(&key("roots"), &private).await.unwrap();
    by_user.get(&key("roots")).await.unwrap_err();
    by_user.put(&key("roots"), json(&value("put"))).await.unwrap_err();
    by_user.delete(&key("roots")).await.unwrap_err();
    by_user.users().await.unwrap_err();
    let (start, _) = made.token.rsplit_once('.').unwrap();
    let forged = format!("{start}.{}", "A".repeat(86));
    for bad in [TOKEN, &forged, &made.token[1..]] {
        client(bad).get(&key("roots")).await.unwrap_err();
    }
    by_root.rotate_keys(RotateKeys::default()).await.unwrap();
    by_root.revoke_token(made.about.id).await.unwrap();
    by_user.get(&key("a")).await.unwrap_err();
    vec![root.to_owned(), made.token]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_at_trace_level_tells_keys_values_or_tokens() {
    let site = Site::new();
    let homes = site.cluster::<2>(SETTINGS);
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    plant(&first).await;
    all_agree(&[&first, &second]).await;
    // Repair, not only streams: what was written while the other was away.
    let away = second.stop().await;
    plant(&first).await;
    let killed = first.said();
    first.kill();
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    all_agree(&[&first, &second]).await;
    plant(&second).await;
    let logs = [away, killed, first.stop().await, second.stop().await];
    for log in &logs {
        assert!(log.contains("TRACE") && log.contains("DEBUG"), "the level is not trace");
        assert_eq!(leaks(log, &[KEY, VALUE, TOKEN]), Vec::<&str>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_at_trace_level_tells_who_has_an_account_or_any_part_of_a_token() {
    let site = Site::new();
    let homes = site.cluster::<2>("log_level: trace\nauth_enabled: true\n");
    let [first, second] = homes.each_ref().map(Home::start);
    for node in [&first, &second] {
        node.serves().await;
    }
    let kept = |home: &Home| std::fs::read_to_string(home.data().join("root-token")).ok();
    let found = async || homes.iter().find_map(kept);
    let root = wait::until("the first token is kept", found).await.0.trim().to_owned();
    let knows = async || {
        let client = Client::new(&first.url(), Some(&root)).unwrap();
        client.whoami().await.ok().map(drop)
    };
    wait::until("root is known", knows).await;
    let tokens = plant_accounts(&first, &root).await;
    let user = format!("api/users/{KEY}-user");
    let client = Client::new(&second.url(), Some(&root)).unwrap();
    let there = async || {
        let users = client.users().await.ok()?;
        users.iter().any(|known| user.ends_with(&known.name)).then_some(())
    };
    wait::until("the user is known there", there).await;
    // The first part is the same for all tokens of a key, and says nothing.
    let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
    let mut words = vec![KEY, VALUE, TOKEN];
    words.extend(parts);
    for log in [first.stop().await, second.stop().await] {
        assert!(log.contains("TRACE") && log.contains("DEBUG"), "the level is not trace");
        assert_eq!(leaks(&log, &words), Vec::<&str>::new());
    }
}
