//! The benchmark of KVS.
//!
//! In reading order: a [`workload`] says which requests are made, a [`target`] carries them out
//! over one connection, [`load`] drives many connections by a [`schedule`] and records their
//! [`latency`]; [`server`] starts what is measured, [`cluster`] nodes that agree; a [`scenario`] runs several servers in turn
//! and leaves its [`results`]; a [`bar`] judges them; the [`report`] shows them.

pub mod number;
pub mod stats;

pub mod workload;

pub mod target;

pub mod schedule;

pub mod latency;

pub mod load;

pub mod bare;

pub mod disk;

pub mod machine;

pub mod server;

pub mod cluster;

pub mod results;

pub mod scenario;

pub mod bar;

pub mod report;

pub mod figure;

pub mod cli;

pub mod command;

pub mod console;
