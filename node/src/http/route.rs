//! What a row of the route table says.

use futures_util::future::BoxFuture;
use http::Method;
use kvs_core::{Key, Prefix};
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
    /// One of several things of a kind: the path, a slash, and its name as one segment.
    Named(&'static str, fn(Call, String) -> Answering),
    /// `/kv/{key}`, or a sub-resource of it, such as `_history`.
    Key(Option<&'static str>, fn(Call, Key) -> Answering),
    /// A sub-resource of any prefix, the root included, such as `_ls`.
    Prefix(&'static str, fn(Call, Prefix) -> Answering),
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, always.
    Public,
    /// Callers with all of these scopes.
    Scopes(&'static [Scope]),
    /// Checked by the handler for each item on its own.
    EachItem,
    /// Callers on this machine, until there are accounts.
    Here,
}

/// What a caller may be given the right to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// See keys.
    Read,
    /// Change keys.
    Write,
    /// Delete keys.
    Delete,
}

impl Scope {
    /// The scope as tokens and errors spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    /// Whether it lets its holder change what is stored.
    pub const fn changes(self) -> bool {
        matches!(self, Self::Write | Self::Delete)
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
            Endpoint::Fixed(path, _) => path.to_owned(),
            Endpoint::Named(path, _) => format!("{path}/{{name}}"),
            Endpoint::Key(None, _) => "/kv/{key}".to_owned(),
            Endpoint::Key(Some(sub), _) => format!("/kv/{{key}}/{sub}"),
            Endpoint::Prefix(sub, _) => format!("/kv/{{prefix}}/{sub}"),
        }
    }

    /// Whether it is about keys, and not about the node.
    pub const fn is_of_keys(&self) -> bool {
        matches!(self.access, Access::Scopes(_) | Access::EachItem)
    }

    /// Whether calling it may change what is stored.
    pub fn changes(&self) -> bool {
        match self.access {
            Access::Scopes(scopes) => scopes.iter().any(|scope| scope.changes()),
            Access::Public | Access::EachItem | Access::Here => false,
        }
    }
}
