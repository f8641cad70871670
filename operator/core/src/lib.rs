//! What the operator knows and decides, as functions of their arguments.
//!
//! [`crd`] is what people ask for and are told. [`build`] makes objects of it, [`observed`] is what is
//! there, [`plan`](fn@plan::plan) says the one next step from the two, and [`status`] says it to people.
//! [`forecast`] says all steps that are to come if nothing goes wrong, and [`install`] is what is applied
//! to have an operator at all. [`backup`], [`schedule`] and [`user`] judge the kinds beside `KvsCluster`.
//! Nothing here speaks to anybody: reading the cluster and carrying steps out is `kvs-operator`'s work.

pub mod crd;
pub mod names;
pub mod quantity;

pub mod observed;
pub mod wish;

pub mod plan;

pub mod forecast;

pub mod build;
pub mod compare;

pub mod status;

pub mod install;

pub mod backup;
pub mod ready;
pub mod schedule;
pub mod user;

#[cfg(test)]
mod golden;
