//! The HTTP API. Only what lies below here knows status codes.
//!
//! A request goes through [`dispatch`]: the row of the [`routes`] table for its path and method
//! says who may call it and how large its body may be, and its handler answers. Whatever goes wrong
//! anywhere becomes a [`problem::Problem`].

mod backups;
mod batch;
mod body;
mod call;
mod changes;
mod cluster;
mod dispatch;
mod docs;
mod health;
mod here;
mod history;
mod kv;
mod listing;
mod metadata;
mod metrics;
mod mode;
mod openapi;
mod page;
mod problem;
mod query;
mod route;
mod routes;
mod shared;
mod sse;
mod streams;
mod value;

pub use call::{Answer, Call};
pub use dispatch::{App, respond, router};
pub use openapi::document;
pub use problem::Problem;
pub use route::{Access, BodyRule, Endpoint, Route, Scope};
pub use routes::ROUTES;

#[cfg(test)]
mod tests;
