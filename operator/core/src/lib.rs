//! What the operator knows and decides, as functions of their arguments.
//!
//! [`crd`] is what people ask for and are told. [`build`] makes objects of it, [`observed`] is what is
//! there, [`plan`](fn@plan::plan) says the one next step from the two, and [`status`] says it to people.
//! Nothing here speaks to anybody: reading the cluster and carrying steps out is `kvs-operator`'s work.

pub mod crd;
pub mod names;
pub mod quantity;

pub mod observed;
pub mod wish;

pub mod plan;

pub mod build;
pub mod compare;

pub mod status;

pub mod install;

#[cfg(test)]
mod golden;
