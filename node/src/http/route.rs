//! What a row of the route table says.

use futures_util::future::BoxFuture;
use http::Method;
use kvs_config::Settings;
use kvs_core::{Key, Prefix, Right};
use utoipa::openapi::path::OperationBuilder;

use super::{Answer, Call};

/// A route: one row drives dispatch, authorization, the OpenAPI document and the tests.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, and what answers there.
    pub endpoint: Endpoint,
    /// Who may call it.
    pub access: Access,
    /// What of the body is read.
    pub body: BodyRule,
    /// The operation's name in the API description, unique.
    pub operation: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Adds parameters, bodies and answers to the API description.
    pub describe: fn(OperationBuilder) -> OperationBuilder,
}

/// A handler's future.
pub(super) type Answering = BoxFuture<'static, Answer>;

/// Where a route is, and what answers. What a handler is given follows from where it is.
#[derive(Clone, Copy, Debug)]
pub enum Endpoint {
    /// One path.
    Fixed(&'static str, fn(Call) -> Answering),
    /// `/kv/{key}`, or a sub-resource of it, such as `_history`.
    Key(Option<&'static str>, fn(Call, Key) -> Answering),
    /// A sub-resource of any prefix, the root included, such as `_ls`.
    Prefix(&'static str, fn(Call, Prefix) -> Answering),
    /// A path some of whose segments are names, `/api/users/{name}`; they are handed over in order.
    Named(&'static str, fn(Call, Vec<String>) -> Answering),
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, always: credentials are not looked at.
    Public,
    /// Everybody while the settings say so, else who may read the cluster.
    PublicIf(Switch),
    /// Everybody; who may read the cluster sees more. Credentials that are shown must be good.
    PublicInPart,
    /// Callers with all of these rights on the key, or, for a list, on some key. Modes are asked
    /// after that.
    Keys(&'static [Right]),
    /// Checked by the handler for each item on its own.
    EachItem,
    /// Callers with this right; without authentication, everybody.
    Reading(Right),
    /// Callers with this right; without authentication, those on this machine.
    Admin(Right),
    /// Callers with this right; without authentication, the route is not there.
    Accounts(Right),
    /// Whoever shows credentials; without authentication, the route is not there.
    Known,
}

/// Which setting makes a route public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `members_public`.
    Members,
    /// `metrics_public`.
    Metrics,
}

impl Switch {
    /// The setting's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Members => "members_public",
            Self::Metrics => "metrics_public",
        }
    }

    /// Whether the settings say so.
    pub const fn is_on(self, settings: &Settings) -> bool {
        match self {
            Self::Members => settings.members_public,
            Self::Metrics => settings.metrics_public,
        }
    }
}

/// What of a request's body is read before the handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// Nothing.
    Ignored,
    /// All of it, up to the largest value.
    Value,
    /// All of it, up to the largest batch.
    Batch,
}

impl Route {
    /// The path as the API description writes it.
    pub fn template(&self) -> String {
        match self.endpoint {
            Endpoint::Fixed(path, _) | Endpoint::Named(path, _) => path.to_owned(),
            Endpoint::Key(None, _) => "/kv/{key}".to_owned(),
            Endpoint::Key(Some(sub), _) => format!("/kv/{{key}}/{sub}"),
            Endpoint::Prefix(sub, _) => format!("/kv/{{prefix}}/{sub}"),
        }
    }

    /// Whether it is about keys, and not about the node.
    pub const fn is_of_keys(&self) -> bool {
        matches!(self.access, Access::Keys(_) | Access::EachItem)
    }

    /// Whether calling it may change what is stored.
    pub fn changes(&self) -> bool {
        match self.access {
            Access::Keys(rights) => rights.iter().any(|right| *right != Right::Read),
            Access::Accounts(_) => self.method != Method::GET,
            _ => false,
        }
    }

    /// The right that it takes where that does not depend on the settings or on the request; several
    /// for some routes of keys.
    pub const fn rights(&self) -> &[Right] {
        match &self.access {
            Access::Keys(rights) => rights,
            Access::Reading(right) | Access::Admin(right) | Access::Accounts(right) => {
                std::slice::from_ref(right)
            }
            _ => &[],
        }
    }
}
