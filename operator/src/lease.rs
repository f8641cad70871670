//! One operator acts. The lease is taken when it is free, was let go, or has not changed for as long as
//! it is valid, by this machine's own running time: what clocks other machines have does not matter.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use kube::{Client, Error, ResourceExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fence::Fence;

/// For how long a lease is valid that is not renewed.
const VALID: Duration = Duration::from_secs(15);
/// Without a renewal for this long, whoever holds it stops acting: before it can be another's.
pub const GIVE_UP: Duration = Duration::from_secs(10);
/// How often it is renewed, and looked at.
const EVERY: Duration = Duration::from_secs(2);

/// The lease of the operators of one installation.
#[derive(Debug)]
pub struct Holder {
    leases: Api<Lease>,
    name: String,
    me: String,
    fence: Fence,
    /// The lease as this operator wrote it last.
    mine: Option<Lease>,
    /// What the lease was when it last changed, and when that was seen.
    seen: Option<(String, Instant)>,
}

impl Holder {
    /// The lease `name`, for the operator called `me`, who writes nothing else without it: by `fence`.
    pub fn new(client: Client, namespace: &str, name: &str, me: &str, fence: Fence) -> Self {
        let leases = Api::namespaced(client, namespace);
        Self { leases, name: name.to_owned(), me: me.to_owned(), fence, mine: None, seen: None }
    }

    /// Waits until the lease is this operator's. Nothing if it was told to stop before.
    pub async fn take(&mut self, stop: &CancellationToken) -> Option<()> {
        loop {
            let attempt = tokio::time::timeout(GIVE_UP, self.attempt());
            let attempt = tokio::select! {
                () = stop.cancelled() => return None,
                done = attempt => done,
            };
            match attempt {
                Ok(Ok(true)) => return Some(()),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the lease cannot be taken"),
                Err(_late) => tracing::warn!("the lease cannot be taken in time"),
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Renews the lease until it is lost or this operator is told to stop. Nothing is written then.
    pub async fn keep(&mut self, stop: &CancellationToken) {
        self.renew(stop).await;
        self.fence.drop_lease();
    }

    async fn renew(&mut self, stop: &CancellationToken) {
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let began = Instant::now();
            match tokio::time::timeout(GIVE_UP, self.attempt()).await {
                Ok(Ok(true)) => renewed = began,
                Ok(Ok(false)) => return tracing::error!("the lease is another operator's now"),
                Ok(Err(error)) => tracing::warn!(%error, "the lease cannot be renewed"),
                Err(_late) => tracing::warn!("the lease cannot be renewed in time"),
            }
            if renewed.elapsed() >= GIVE_UP {
                return tracing::error!("the lease was not renewed in time");
            }
        }
    }

    /// Takes or renews it; says whether it is this operator's then.
    async fn attempt(&mut self) -> Result<bool, Error> {
        let began = Instant::now();
        let ours = self.write().await?;
        if ours {
            self.fence.renew(began);
        }
        Ok(ours)
    }

    async fn write(&mut self) -> Result<bool, Error> {
        // Whoever has it knows what it is, and need not ask.
        let Some(lease) = self.read().await? else {
            let lease = self.written(Lease::default());
            let made = self.leases.create(&PostParams::default(), &lease).await;
            return self.won(made);
        };
        if !self.is_free(&lease) {
            return Ok(false);
        }
        let lease = self.written(lease);
        let written = self.leases.replace(&self.name, &PostParams::default(), &lease).await;
        self.won(written)
    }

    async fn read(&mut self) -> Result<Option<Lease>, Error> {
        match self.mine.take() {
            Some(lease) => Ok(Some(lease)),
            None => self.leases.get_opt(&self.name).await,
        }
    }

    /// Whether it was this operator that was written, or somebody else was faster.
    fn won(&mut self, written: Result<Lease, Error>) -> Result<bool, Error> {
        match written {
            Ok(lease) => {
                self.mine = Some(lease);
                Ok(true)
            }
            Err(Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_free(&mut self, lease: &Lease) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        if holder.is_none_or(|holder| holder.is_empty() || holder == self.me) {
            return true;
        }
        let version = lease.resource_version().unwrap_or_default();
        match &self.seen {
            Some((known, since)) if *known == version => since.elapsed() >= VALID,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    fn written(&self, mut lease: Lease) -> Lease {
        lease.metadata.name = Some(self.name.clone());
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        let now = Some(MicroTime(jiff::Timestamp::now()));
        if spec.holder_identity.as_ref() != Some(&self.me) {
            spec.acquire_time.clone_from(&now);
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default() + 1);
        }
        spec.holder_identity = Some(self.me.clone());
        spec.lease_duration_seconds = i32::try_from(VALID.as_secs()).ok();
        spec.renew_time = now;
        lease
    }

    /// Lets it go: whoever waits takes it at once.
    pub async fn let_go(&self) {
        let letting_go = async {
            let mut lease = self.leases.get(&self.name).await?;
            let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
            if spec.holder_identity.as_ref() == Some(&self.me) {
                spec.holder_identity = None;
                self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<(), Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(EVERY, letting_go).await {
            tracing::warn!(%error, "the lease was not let go; others wait for {VALID:?}");
        }
    }
}
