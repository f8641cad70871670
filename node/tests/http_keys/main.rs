//! The routes of keys, called as a server would call them, without sockets.

mod admin;
mod backups;
mod batch;
mod conditions;
mod document;
mod expiry;
mod harness;
mod history;
mod limits;
mod metadata;
mod patch;
mod values;
