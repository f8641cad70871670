//! The operator: looks at a cluster, asks [`kvs_operator_core::plan`] for the one next step, and
//! carries it out. What is to be done is decided there; here is how.
//!
//! Reading order: [`observe`] reads, [`objects`] and [`act`] write, [`nodes`] speaks to nodes on their
//! peer port, [`reconcile`] puts these together, [`lease`] lets one of several operators do so. [`backups`],
//! [`schedules`] and [`users`] are the same for the kinds beside `KvsCluster`, whose cluster [`reach`] finds.
//! [`plugin`] is `kubectl kvs`.

pub mod act;
pub mod backups;
pub mod fence;
pub mod lease;
pub mod metrics;
pub mod nodes;
pub mod objects;
pub mod observe;
pub mod plugin;
pub mod reach;
pub mod reconcile;
pub mod report;
pub mod run;
pub mod schedules;
mod served;
pub mod settings;
pub mod site;
pub mod users;
