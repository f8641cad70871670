//! `kubectl kvs`: what a person asks about clusters, answered from the API server alone.

mod annotate;
mod backup;
mod gather;
mod logs;
mod plan;
mod status;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::{Api, Client, Config};
use kvs_operator_core::crd::KvsCluster;
use thiserror::Error;

/// A command was not carried out. Nothing was changed, unless it says so.
#[derive(Debug, Error)]
pub enum PluginError {
    /// There is no cluster to speak to.
    #[error("no kubeconfig that can be used: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// The API server refuses, or does not answer.
    #[error("{}", said(.0))]
    Api(#[from] kube::Error),
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
    /// It makes no sense as things are.
    #[error("{0}")]
    Refused(String),
}

/// The API server's own words, where there are some.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Looks at KVS clusters, and releases what waits for a person.
#[derive(Debug, Parser)]
#[command(name = "kubectl-kvs", bin_name = "kubectl kvs", version)]
pub struct Command {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: What,
}

/// Which Kubernetes, and where in it.
#[derive(Clone, Debug, Args)]
struct Place {
    /// The namespace; left out, the context's
    #[arg(short, long, global = true)]
    namespace: Option<String>,
    /// The context of the kubeconfig; left out, the current one
    #[arg(long, global = true)]
    context: Option<String>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Clusters in a table; of one, all that matters at 3 am
    Status {
        /// The cluster; left out, all of them
        name: Option<String>,
        /// In all namespaces
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
    /// The nodes of a cluster
    Members {
        /// The cluster
        name: String,
    },
    /// What a manifest would come to, step by step, before it is applied
    Plan {
        /// The manifest
        #[arg(short, long)]
        filename: PathBuf,
    },
    /// The logs of all nodes of a cluster
    Logs {
        /// The cluster
        name: String,
        /// Lines of each node
        #[arg(long, default_value_t = 100)]
        tail: i64,
        /// Of the processes before the ones that run
        #[arg(long)]
        previous: bool,
    },
    /// Makes a backup now, and waits until it is made
    Backup {
        /// The cluster; left out, the only one of the namespace
        name: Option<String>,
        /// Seconds to wait for it
        #[arg(long, default_value_t = 3600)]
        timeout: u64,
    },
    /// Releases a change to all pods, after its canaries
    Promote {
        /// The cluster
        name: String,
    },
    /// Takes over how a newer operator makes pods; restarts them one by one
    Adopt {
        /// The cluster
        name: String,
    },
    /// Gives a member whose disk is lost a new one
    Replace {
        /// The cluster
        name: String,
        /// The number in the pod's name
        ordinal: u32,
    },
    /// One archive to attach to a report, without secrets
    Gather {
        /// The cluster
        name: String,
        /// Where to write it
        #[arg(short, long, default_value = "kvs-gather.tar")]
        output: PathBuf,
        /// Where the operator runs
        #[arg(long, default_value = "kvs-system")]
        operator_namespace: String,
    },
}

/// The API server, and the namespace in question.
pub(crate) struct Here {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Here {
    async fn new(place: &Place) -> Result<Self, PluginError> {
        let context = place.context.clone();
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let config = Config::from_kubeconfig(&options).await?;
        let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config)?, namespace })
    }

    pub(crate) fn clusters(&self) -> Api<KvsCluster> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

impl Command {
    /// Carries it out, and prints what is asked for.
    ///
    /// # Errors
    ///
    /// See [`PluginError`].
    pub async fn run(self, out: &mut impl Write) -> Result<(), PluginError> {
        let here = Here::new(&self.place).await?;
        match self.what {
            What::Status { name: None, all_namespaces } => {
                status::all(&here, all_namespaces, out).await
            }
            What::Status { name: Some(name), .. } => status::one(&here, &name, out).await,
            What::Members { name } => status::members(&here, &name, out).await,
            What::Plan { filename } => plan::plan(&here, &filename, out).await,
            What::Logs { name, tail, previous } => {
                logs::logs(&here, &name, tail, previous, out).await
            }
            What::Backup { name, timeout } => {
                backup::backup(&here, name, Duration::from_secs(timeout), out).await
            }
            What::Promote { name } => annotate::promote(&here, &name, out).await,
            What::Adopt { name } => annotate::adopt(&here, &name, out).await,
            What::Replace { name, ordinal } => annotate::replace(&here, &name, ordinal, out).await,
            What::Gather { name, output, operator_namespace } => {
                gather::gather(&here, &name, &output, &operator_namespace, out).await
            }
        }
    }
}
