//! The routes, all of them, in one table.

use http::Method;

use super::{
    Access, BodyRule, Endpoint, Route, Scope, backups, batch, changes, cluster, docs, health,
    history, kv, listing, metadata, metrics, openapi,
};

const READ: Access = Access::Scopes(&[Scope::Read]);
const WRITE: Access = Access::Scopes(&[Scope::Write]);
const READ_WRITE: Access = Access::Scopes(&[Scope::Read, Scope::Write]);
const DELETE: Access = Access::Scopes(&[Scope::Delete]);

/// Every route of this build.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        endpoint: Endpoint::Key(None, |call, key| Box::pin(kv::read(call, key))),
        access: READ,
        body: BodyRule::Ignored,
        operation: "read_value",
        summary: "Reads a key",
        describe: kv::describe::read,
    },
    Route {
        method: Method::PUT,
        endpoint: Endpoint::Key(None, |call, key| Box::pin(kv::write(call, key))),
        access: WRITE,
        body: BodyRule::Value,
        operation: "write_value",
        summary: "Writes a key",
        describe: kv::describe::write,
    },
    Route {
        method: Method::PATCH,
        endpoint: Endpoint::Key(None, |call, key| Box::pin(kv::patch(call, key))),
        access: READ_WRITE,
        body: BodyRule::Value,
        operation: "patch_value",
        summary: "Changes parts of a JSON value, as one step on this node (RFC 7396)",
        describe: kv::describe::patch,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Key(None, |call, key| Box::pin(kv::delete(call, key))),
        access: DELETE,
        body: BodyRule::Ignored,
        operation: "delete_value",
        summary: "Deletes a key",
        describe: kv::describe::delete,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/kv/_batch", |call| Box::pin(batch::carry_out(call))),
        access: Access::EachItem,
        body: BodyRule::Batch,
        operation: "batch",
        summary: "Does many reads, writes and deletes with one flush",
        describe: batch::describe,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Key(Some("_history"), |call, key| Box::pin(history::list(call, key))),
        access: READ,
        body: BodyRule::Ignored,
        operation: "list_revisions",
        summary: "Lists the versions of a key that are kept, newest first",
        describe: history::describe_list,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Key(Some("_restore"), |call, key| {
            Box::pin(history::restore(call, key))
        }),
        access: WRITE,
        body: BodyRule::Value,
        operation: "restore_revision",
        summary: "Writes an older version back, as a new version",
        describe: history::describe_restore,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Key(Some("_metadata"), |call, key| Box::pin(metadata::read(call, key))),
        access: READ,
        body: BodyRule::Ignored,
        operation: "read_metadata",
        summary: "Reads the metadata that governs a key or prefix",
        describe: metadata::describe_read,
    },
    Route {
        method: Method::PATCH,
        endpoint: Endpoint::Key(Some("_metadata"), |call, key| {
            Box::pin(metadata::patch(call, key))
        }),
        access: READ_WRITE,
        body: BodyRule::Value,
        operation: "patch_metadata",
        summary: "Sets or clears parts of the metadata of a key or prefix",
        describe: metadata::describe_patch,
    },
    Route {
        method: Method::PUT,
        endpoint: Endpoint::Key(Some("_metadata"), |call, key| {
            Box::pin(metadata::replace(call, key))
        }),
        access: READ_WRITE,
        body: BodyRule::Value,
        operation: "replace_metadata",
        summary: "Replaces the metadata of a key or prefix; what is left out is cleared",
        describe: metadata::describe_replace,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Prefix("_ls", |call, prefix| Box::pin(listing::list(call, prefix))),
        access: READ,
        body: BodyRule::Ignored,
        operation: "list_children",
        summary: "Lists the direct children of a prefix, in order",
        describe: listing::describe::list,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Prefix("_tree", |call, prefix| {
            Box::pin(listing::tree::read(call, prefix))
        }),
        access: READ,
        body: BodyRule::Ignored,
        operation: "read_tree",
        summary: "Reads everything below a prefix",
        describe: listing::describe::tree,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Prefix("_changes", |call, prefix| {
            Box::pin(changes::changes(call, prefix))
        }),
        access: READ,
        body: BodyRule::Ignored,
        operation: "list_changes",
        summary: "Lists what changed below a prefix, or streams it as it happens",
        describe: changes::describe::changes,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/livez", |call| Box::pin(async move { health::live(&call) })),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "livez",
        summary: "Tells whether the process answers",
        describe: health::describe::live,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/readyz", |call| Box::pin(async move { health::ready(&call) })),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "readyz",
        summary: "Tells whether the node serves",
        describe: health::describe::ready,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/health", |call| Box::pin(health::state(call))),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "health",
        summary: "Tells what the node is and does",
        describe: health::describe::state,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/members/", |call| Box::pin(cluster::members(call))),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "members",
        summary: "Lists the nodes that this one knows",
        describe: health::describe::members,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/cluster", |call| Box::pin(cluster::status(call))),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "cluster_status",
        summary: "Tells how far this node and its peers are",
        describe: cluster::describe_status,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/sync", |call| Box::pin(cluster::sync(call))),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "cluster_sync",
        summary: "Compares with all peers at once, and repairs what differs",
        describe: cluster::describe_sync,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/mode", |call| Box::pin(cluster::admin::mode(call))),
        access: Access::Here,
        body: BodyRule::Value,
        operation: "cluster_mode",
        summary: "Has the node take clients' writes or refuse them",
        describe: cluster::admin::describe_mode,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/drain", |call| Box::pin(cluster::admin::drain(call))),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "cluster_drain",
        summary: "Has the node ask for no more requests and send on what it accepted",
        describe: cluster::admin::describe_drain,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/leave", |call| Box::pin(cluster::admin::leave(call))),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "cluster_leave",
        summary: "Has the node leave its cluster for good",
        describe: cluster::admin::describe_leave,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/forget", |call| Box::pin(cluster::admin::forget(call))),
        access: Access::Here,
        body: BodyRule::Value,
        operation: "cluster_forget",
        summary: "Gives up a member that will not come back",
        describe: cluster::admin::describe_forget,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/upgrade", |call| {
            Box::pin(cluster::admin::upgrade(call))
        }),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "cluster_upgrade",
        summary: "Has the cluster write in the next format, once all members understand it",
        describe: cluster::admin::describe_upgrade,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/backups", |call| Box::pin(backups::list(call))),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "list_backups",
        summary: "Lists the backups that are where this node keeps its own",
        describe: backups::describe_list,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/api/backups", |call| {
            Box::pin(async move { backups::create(&call) })
        }),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "create_backup",
        summary: "Begins a backup of this node",
        describe: backups::describe_create,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Named("/api/backups", |call, name| {
            Box::pin(backups::delete(call, name))
        }),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "delete_backup",
        summary: "Deletes a backup",
        describe: backups::describe_delete,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/backup/status", |call| {
            Box::pin(async move { backups::status(&call) })
        }),
        access: Access::Here,
        body: BodyRule::Ignored,
        operation: "backup_status",
        summary: "Tells whether a backup is being made, and what became of the last ones",
        describe: backups::describe_status,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/metrics", |call| Box::pin(metrics::serve(call))),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "metrics",
        summary: "Tells the node's figures to a monitoring system",
        describe: health::describe::metrics,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/openapi.json", |call| {
            Box::pin(async move { openapi::serve(&call) })
        }),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "openapi",
        summary: "Describes this API",
        describe: docs::describe_document,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/docs", |call| Box::pin(async move { docs::page(&call) })),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "docs",
        summary: "Shows this API as a page to read and try",
        describe: docs::describe_page,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed(docs::SCRIPT, |call| {
            Box::pin(async move { docs::script(&call) })
        }),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "docs_script",
        summary: "Is part of the page of the API",
        describe: docs::describe_script,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed(docs::STYLE, |call| Box::pin(async move { docs::style(&call) })),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "docs_style",
        summary: "Is part of the page of the API",
        describe: docs::describe_style,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed(docs::START, |call| Box::pin(async move { docs::start(&call) })),
        access: Access::Public,
        body: BodyRule::Ignored,
        operation: "docs_start",
        summary: "Is part of the page of the API",
        describe: docs::describe_script,
    },
];
