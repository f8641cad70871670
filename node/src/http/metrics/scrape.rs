//! All figures, as they are when somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kvs_client::ClusterStatus;
use kvs_core::{NodeId, Superseded};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::cluster::is_member;
use super::figures::{BYTES, Figures, SECONDS, load};
use super::process;
use crate::audit::PeerFigures;
use crate::http::shared::Shared;
use crate::node::{Mode, Node};

/// Where the figures come from.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) node: Arc<Node>,
    pub(super) shared: Arc<Shared>,
    /// How the cluster is, if the node is in one and its engine answered.
    pub(super) cluster: Option<ClusterStatus>,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = &mut Figures(&mut encoder);
        self.node(figures)?;
        self.requests(figures)?;
        self.writer(figures)?;
        self.store(figures)?;
        self.cluster(figures)?;
        self.backups(figures)?;
        self.audit(figures)
    }
}

impl Scrape {
    fn node(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        figures.info("build", "The program", &build)?;
        let started = i64::try_from(self.node.started().0 / 1_000).unwrap_or(i64::MAX);
        figures.gauge("start_time", "Unix time at which the node started", SECONDS, &started)?;
        let modes = [Mode::Normal, Mode::Syncing, Mode::ReadOnly].map(Mode::name);
        let help = "1 for what the node does with requests";
        figures.state("mode", help, modes, self.node.mode().name())?;
        match process::resident_bytes() {
            Some(bytes) => {
                figures.gauge("resident_memory", "Memory of the process in RAM", BYTES, &bytes)
            }
            None => Ok(()),
        }
    }

    fn requests(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let metrics = &self.shared.metrics;
        let counts = metrics.called().flat_map(|(name, operation)| {
            operation
                .by_class()
                .map(move |(class, count)| ([("operation", name), ("status", class)], count))
        });
        figures.counters("requests", "Requests that were answered", None, counts)?;
        figures.latencies(metrics)?;
        let denials = metrics.denials().map(|(of, count)| ([("of", of)], count));
        figures.counters("denials", "Requests that were denied", None, denials)?;
        let rates = self.node.rates();
        let refused = rates.refused().map(|(kind, count)| ([("of", kind.name())], count));
        let help = "Requests of callers who had asked too much, or shown too many bad credentials";
        figures.counters("rate_limited", help, None, refused)?;
        let rows = rates.rows() as u64;
        figures.gauge("rate_limit_rows", "Rows of the table of callers", None, &rows)?;
        let open = self.shared.streams.open() as u64;
        figures.gauge("streams_open", "Streams of changes that are open", None, &open)
    }

    fn writer(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let of = self.node.writer().figures();
        figures.counter("commits", "Versions that were committed", load(&of.commits))?;
        figures.counter(
            "commit_groups",
            "Groups of writes, each one flush when durability is sync",
            load(&of.groups),
        )?;
        figures.counter("collected", "Dead records that were forgotten", load(&of.collected))?;
        let superseded = Superseded::ALL.iter().zip(&of.superseded);
        let superseded =
            superseded.map(|(reason, count)| ([("reason", reason.name())], load(count)));
        let help = "Versions that lost against another";
        figures.counters("superseded", help, None, superseded)?;
        let waiting = of.waiting_bytes.load(Ordering::Relaxed) as u64;
        figures.gauge("write_queue", "Writes that wait", BYTES, &waiting)?;
        let sequence = *self.node.writer().committed().borrow();
        figures.gauge("commit_sequence", "The number of the last commit", None, &sequence)
    }

    fn store(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let ready = u64::from(self.node.digest().is_ready());
        figures.gauge("digest_ready", "1 once the digest tree covers the store", None, &ready)?;
        let sizes = self.node.store().sizes();
        let sizes = sizes.into_iter().map(|(part, bytes)| ([("part", part)], bytes));
        figures.gauges("store", "What the store takes, on disk and in memory", BYTES, sizes)?;
        let settings = self.node.settings();
        let reserve = settings.disk_reserve.as_len() as u64;
        let help = "What must stay free of the data directory's disk: below it writes get 507";
        figures.gauge("disk_reserve", help, BYTES, &reserve)?;
        match process::free_bytes(&settings.data_dir) {
            Some(free) => figures.gauge("disk_free", "What is free of it", BYTES, &free),
            None => Ok(()),
        }
    }

    fn audit(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let Some(audit) = self.node.audit().figures() else { return Ok(()) };
        let help = "Entries of the tamper-evident log under its signed head";
        figures.gauge("audit_entries", help, None, &audit.signed)?;
        let help = "Entries of it that are in archives";
        figures.gauge("audit_archived_entries", help, None, &audit.archived)?;
        figures.counter("audit_dropped", "What could not be written to it", audit.dropped)?;
        let help = "1 once it is known to be not as it was written";
        figures.gauge("audit_tampered", help, None, &u64::from(audit.tampered))?;
        self.audit_peers(figures)
    }

    fn audit_peers(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        if self.cluster.is_none() && self.node.cluster().is_some() {
            // Who is a member is not known right now: an alarm must not seem to be over.
            return Ok(());
        }
        let peers = self.cluster.iter().flat_map(|status| &status.peers);
        let members =
            peers.filter(|peer| is_member(peer)).map(|peer| NodeId::new(peer.id)).collect();
        let PeerFigures { consistent, rewritten, silent } =
            self.node.audit().peer_figures(&members);
        let states = [("consistent", consistent), ("rewritten", rewritten), ("silent", silent)];
        let states = states.into_iter().map(|(state, count)| ([("state", state)], count));
        figures.gauges("audit_peers", "Members whose log this node keeps heads of", None, states)
    }

    fn backups(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let status = self.node.backups().status();
        let results = [("success", status.made), ("failure", status.failed)];
        let results = results.into_iter().map(|(result, count)| ([("result", result)], count));
        figures.counters("backups", "Backups that were tried since the start", None, results)?;
        let running = u64::from(status.running.is_some());
        figures.gauge("backup_running", "1 while a backup is being made", None, &running)?;
        if let Some(last) = status.last_success {
            let at = last.created.unwrap_or(0) / 1_000;
            let help = "Unix time of this node's last backup that is whole";
            figures.gauge("backup_last_success_time", help, SECONDS, &at)?;
            figures.gauge("backup_last_size", "What it takes", BYTES, &last.size)?;
        }
        if let Some(took) = status.last_duration {
            let took = Duration::from_millis(took).as_secs_f64();
            figures.gauge("backup_last_duration", "How long it took", SECONDS, &took)?;
        }
        Ok(())
    }
}
