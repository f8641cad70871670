//! The program `kvs` as people use it: real processes, each test with a home of its own.

mod accounts;
mod audit;
mod backup;
mod backup_s3;
mod client;
mod cluster;
mod daemon;
mod machine;
mod members;
mod offline;
mod refusals;
mod run;
mod secured;
mod transfer;
