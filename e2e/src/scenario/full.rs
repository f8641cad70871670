//! Disks that are full: writes are refused, reads go on, and larger disks mend it.

use std::fmt::Write as _;
use std::time::Duration;

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};

use super::{Outcome, growth};
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// The class whose disks are as large as was asked for, and no larger.
const CLASS: &str = "small";
/// The least that may be asked for; and what is to stay free of it.
const BEFORE: &str = "512Mi";
const RESERVE: &str = "416MiB";
const AFTER: &str = "1Gi";
const WITHIN: Duration = Duration::from_mins(2);
/// Characters of a value, which compress by a quarter at the most.
const VALUE: usize = 512 << 10;
/// The disks are full before so many are written.
const MOST: usize = 1_000;
/// One of so many is looked at.
const LOOKED_AT: usize = 8;
/// Insufficient Storage (RFC 4918, 11.5).
const FULL: u16 = 507;

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    let storage = json!({ "size": BEFORE, "storageClassName": CLASS });
    cluster.make(json!({ "storage": storage, "config": { "disk_reserve": RESERVE } })).await?;
    cluster.settles(3, WITHIN).await?;
    let pods = cluster.uids().await?;
    let mut store = Store { agent, url: format!("http://db.{space}.svc:8080"), values: Vec::new() };
    let said = store.fill().await?;
    store.is_whole_at(&store.url).await?;
    cluster.settles(3, WITHIN).await?;
    cluster.ask_for(json!({ "storage": { "size": AFTER } })).await?;
    growth::asks_for(&cluster, AFTER).await?;
    for volume in growth::volumes(&cluster).await? {
        site.enlarge(&volume, AFTER).await?;
    }
    growth::grown(site, &cluster, AFTER).await?;
    let (written, again) = until("writes are taken again", WITHIN, async || {
        Ok(store.attempt("after").await?.is_ok().then_some(store.values.len()))
    })
    .await?;
    cluster.settles(3, WITHIN).await?;
    expect(cluster.uids().await? == pods, || "pods were restarted for it".into())?;
    for address in cluster.addresses().await? {
        store.is_whole_at(&address).await?;
    }
    Ok(format!(
        "{BEFORE} full after {written} values of {} KiB: “{said}”; reads went on; with {AFTER} writes after \
         {again:.0?}, no pod restarted, all of it on every node",
        VALUE >> 10,
    ))
}

/// What was acknowledged, and where.
struct Store {
    agent: Agent,
    url: String,
    values: Vec<(String, String)>,
}

impl Store {
    /// Writes until it is refused; what is said then.
    async fn fill(&mut self) -> Result<String, Failure> {
        for number in 0..MOST {
            if let Err(said) = self.put(&format!("full/{number}")).await? {
                return Ok(said);
            }
        }
        Err(Failure::new(format!("{MOST} values do not fill {BEFORE}")))
    }

    /// Writes a value that is not kept in mind; what is said if there is no room.
    async fn attempt(&self, key: &str) -> Result<Result<(), String>, Failure> {
        self.write(key, "1").await
    }

    async fn put(&mut self, key: &str) -> Result<Result<(), String>, Failure> {
        let letters = rand::rng().sample_iter(Alphanumeric).take(VALUE);
        let text: String = letters.map(char::from).collect();
        let done = self.write(key, &format!("\"{text}\"")).await?;
        if done.is_ok() {
            self.values.push((key.to_owned(), text));
        }
        Ok(done)
    }

    async fn write(&self, key: &str, value: &str) -> Result<Result<(), String>, Failure> {
        let url = format!("{}/kv/{key}", self.url);
        let answer = self.agent.ask("PUT", &url, Some(value), None).await?;
        match answer.status {
            200..300 => Ok(Ok(())),
            FULL => {
                let problem: Value = serde_json::from_str(&answer.body)?;
                Ok(Err(problem["detail"].as_str().unwrap_or_default().to_owned()))
            }
            _ => Err(Failure::new(format!("PUT {url}: {answer:?}"))),
        }
    }

    /// Looks at some of what was acknowledged.
    async fn is_whole_at(&self, address: &str) -> Result<(), Failure> {
        let mut wrong = String::new();
        for (key, text) in self.values.iter().step_by(LOOKED_AT) {
            let found = self.agent.ask("GET", &format!("{address}/kv/{key}"), None, None).await?;
            let value: Option<Value> = serde_json::from_str(&found.body).ok();
            if value.as_ref().and_then(|value| value["data"].as_str()) != Some(text) {
                // Writing to a String cannot fail.
                let _ = write!(wrong, "{key}: {} ", found.status);
            }
        }
        expect(wrong.is_empty(), || format!("{address}: {wrong}"))
    }
}
