//! Puts data directories into one cluster, as if their nodes had joined it.

use std::collections::BTreeMap;

use bytes::Bytes;
use kvs_client::ClusterFile;
use kvs_core::agreement::Saved;
use kvs_core::digest::DigestKey;
use kvs_core::members::{Member, Members, PREFIX, Standing};
use kvs_core::{Body, Key, Kind, Prefix, RecordId, Stamp, Version};
use uuid::Uuid;

use super::{ConflictError, RETENTION, Site};
use crate::config;
use crate::local::{self, cluster};
use crate::records;
use crate::store::{Batch, Column, Flush, Read as _, Store as _, StoreError};
use crate::writer::Applier;

/// What the new members take from the cluster.
struct Alliance {
    file: ClusterFile,
    digest_key: DigestKey,
    /// Up to where its members hold everything and have forgotten the dead. A new one is empty, and
    /// so has missed nothing.
    saved: Saved,
}

/// Makes members of one cluster of the directories that are of none.
pub(super) fn form(sites: &mut [Site]) -> Result<(), ConflictError> {
    let Some(alliance) = find_or_make(sites)? else { return Ok(()) };
    let mut records = BTreeMap::new();
    for site in sites.iter() {
        site.add_members(&mut records).map_err(|error| site.failed(error))?;
    }
    let latest = sites.iter().map(|site| site.applier.last_stamp()).max().unwrap_or_default();
    let mut stamp = latest.max(now_of(sites));
    for site in sites.iter_mut().filter(|site| site.state.identity.cluster.is_none()) {
        stamp = stamp.next();
        let (record, version) = site.membership(stamp)?;
        records.insert(record.encode(), (record, version));
        site.enter(&alliance)?;
    }
    let members: Members = records.values().filter_map(|(_, version)| member(version)).collect();
    for site in sites.iter_mut() {
        let written = site.write_members(&records, &members, &alliance);
        written.map_err(|error| site.failed(error))?;
    }
    Ok(())
}

/// When the youngest of the nodes first started: no record of a member is older.
fn now_of(sites: &[Site]) -> Stamp {
    sites.iter().map(|site| Stamp::at(site.state.identity.joined)).max().unwrap_or_default()
}

/// What is to be entered; nothing if all are of one cluster already.
fn find_or_make(sites: &[Site]) -> Result<Option<Alliance>, ConflictError> {
    let of = |site: &Site| site.state.identity.cluster;
    let mut members = sites.iter().filter(|site| of(site).is_some());
    let Some(first) = members.next() else {
        sites.iter().try_for_each(Site::must_be_empty)?;
        let file = ClusterFile::new(rand::random(), rand::random(), rand::random());
        let digest_key = DigestKey::new(file.digest_key());
        return Ok(Some(Alliance { file, digest_key, saved: Saved::default() }));
    };
    if let Some(other) = members.find(|other| of(other) != of(first)) {
        return Err(ConflictError::SeveralClusters {
            one: first.dir.clone(),
            first: of(first).unwrap_or_default(),
            other: other.dir.clone(),
            second: of(other).unwrap_or_default(),
        });
    }
    if sites.iter().all(|site| of(site).is_some()) {
        return Ok(None);
    }
    sites.iter().filter(|site| of(site).is_none()).try_for_each(Site::must_be_empty)?;
    let file = ClusterFile::load(&config::own_cluster_file(&first.dir))?;
    let state = cluster::read(&first.store).map_err(|error| first.failed(error))?;
    let digest_key = first.state.identity.digest_key.clone();
    Ok(Some(Alliance { file, digest_key, saved: state.agreement }))
}

fn member(version: &Version) -> Option<Member> {
    let Body::Value(value) = &version.body else { return None };
    Member::parse(&value.bytes().ok()?)
}

/// Records of members by their rows.
type Records = BTreeMap<Vec<u8>, (RecordId, Version)>;

impl Site {
    fn must_be_empty(&self) -> Result<(), ConflictError> {
        let last = self.store.last(Column::Data).map_err(|error| self.failed(error))?;
        match last {
            None => Ok(()),
            Some(_) => Err(ConflictError::StoodAlone(self.dir.clone())),
        }
    }

    /// Adds the records of members that this directory has, where they win.
    fn add_members(&self, to: &mut Records) -> Result<(), StoreError> {
        let prefix = Key::system(PREFIX).map_err(|error| StoreError::Failed(error.to_string()))?;
        let (start, end) = Prefix::Under(prefix).range(Kind::Value);
        let mut data = self.store.cursor(Column::Data, &start, &end);
        while let Some((row, value)) = data.next()? {
            let (_, version) = records::decode(row, value.to_vec())?;
            let Ok(record) = RecordId::decode(row) else { continue };
            if to.get(row).is_none_or(|(_, known)| known.rank() < version.rank()) {
                to.insert(row.to_vec(), (record, version));
            }
        }
        Ok(())
    }

    /// The record that this directory's node is a member.
    fn membership(&self, stamp: Stamp) -> Result<(RecordId, Version), ConflictError> {
        let identity = &self.state.identity;
        let name = self.dir.file_name().unwrap_or(self.dir.as_os_str());
        let member = Member {
            node: identity.node,
            name: name.to_string_lossy().into_owned(),
            joined: identity.joined,
            admission: rand::random(),
            standing: Standing::Joined,
        };
        let record = Member::record(identity.node)
            .map_err(|error| self.failed(StoreError::Failed(error.to_string())))?;
        Ok((record, self.version(stamp, Bytes::from(member.to_json()))))
    }

    /// Gives the cluster's file and secret to this directory, which is empty.
    fn enter(&mut self, alliance: &Alliance) -> Result<(), ConflictError> {
        alliance.file.save(&config::own_cluster_file(&self.dir))?;
        cluster::note_made_file(&self.store).map_err(|error| self.failed(error))?;
        self.state.identity.digest_key = alliance.digest_key.clone();
        self.state.identity.cluster = Some(alliance.file.cluster());
        self.applier = Applier::new(&self.state, RETENTION);
        Ok(())
    }

    fn write_members(
        &mut self,
        records: &Records,
        members: &Members,
        alliance: &Alliance,
    ) -> Result<(), StoreError> {
        let is_new = cluster_of(&self.store)?.is_none();
        for (record, version) in records.values() {
            self.commit(record, version)?;
        }
        if !is_new {
            return Ok(());
        }
        let Saved { held, horizon, .. } = alliance.saved;
        let saved = Saved { list: members.list(), held, horizon, ..Saved::default() };
        let mut batch = Batch::default();
        let rows = [cluster::agreement_row(&saved), cluster::identity_row(&self.state.identity)];
        for (name, value) in &rows {
            batch.put(Column::Local, name, value);
        }
        self.store.write(&batch, Flush::Synced)
    }
}

/// The cluster that a store says it is of, on disk.
fn cluster_of(store: &crate::store::RocksStore) -> Result<Option<Uuid>, StoreError> {
    local::identity(store).map(|identity| identity.and_then(|identity| identity.cluster))
}
