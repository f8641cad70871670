//! The HTTP API. Only what lies below here knows status codes.
//!
//! A request goes through [`dispatch`]: the row of the [`routes`] table for its path and method
//! says who may call it and how large its body may be, and its handler answers. Whatever goes wrong
//! anywhere becomes a [`problem::Problem`].

mod accounts;
mod audit;
mod backups;
mod batch;
mod body;
mod call;
mod changes;
mod cluster;
mod denial;
mod dispatch;
mod docs;
mod gate;
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
mod permit;
mod problem;
mod query;
mod rate;
mod relay;
mod route;
mod routes;
mod shared;
mod sse;
mod streams;
mod unread;
mod value;
mod witness;

pub use call::{Answer, Call};
pub use denial::Denial;
pub use dispatch::{App, respond, router};
pub use openapi::document;
pub use problem::Problem;
pub(crate) use rate::HEADERS as RATE_HEADERS;
pub use rate::TooMany;
pub(crate) use relay::relay;
pub use route::{Access, BodyRule, Endpoint, Route, Switch};
pub use routes::ROUTES;

#[cfg(test)]
mod tests;
