//! The routes, all of them, in one table.

use http::Method;
use kvs_core::Right;

use super::{
    Access, BodyRule, Endpoint, Route, Switch, accounts, audit, backups, batch, changes, cluster,
    docs, health, history, kv, listing, metadata, metrics, openapi,
};

const READ: Access = Access::Keys(&[Right::Read]);
const WRITE: Access = Access::Keys(&[Right::Write]);
const READ_WRITE: Access = Access::Keys(&[Right::Read, Right::Write]);
const DELETE: Access = Access::Keys(&[Right::Delete]);
const CLUSTER: Access = Access::Admin(Right::UpdateCluster);

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
        access: Access::PublicInPart,
        body: BodyRule::Ignored,
        operation: "health",
        summary: "Tells what the node is and does",
        describe: health::describe::state,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/members/", |call| Box::pin(cluster::members(call))),
        access: Access::PublicIf(Switch::Members),
        body: BodyRule::Ignored,
        operation: "members",
        summary: "Lists the nodes that this one knows",
        describe: health::describe::members,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/cluster", |call| Box::pin(cluster::status(call))),
        access: Access::Reading(Right::ReadCluster),
        body: BodyRule::Ignored,
        operation: "cluster_status",
        summary: "Tells how far this node and its peers are",
        describe: cluster::describe_status,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/sync", |call| Box::pin(cluster::sync(call))),
        access: CLUSTER,
        body: BodyRule::Ignored,
        operation: "cluster_sync",
        summary: "Compares with all peers at once, and repairs what differs",
        describe: cluster::describe_sync,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/mode", |call| Box::pin(cluster::admin::mode(call))),
        access: CLUSTER,
        body: BodyRule::Value,
        operation: "cluster_mode",
        summary: "Has the node take clients' writes or refuse them",
        describe: cluster::admin::describe_mode,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/drain", |call| Box::pin(cluster::admin::drain(call))),
        access: CLUSTER,
        body: BodyRule::Ignored,
        operation: "cluster_drain",
        summary: "Has the node ask for no more requests and send on what it accepted",
        describe: cluster::admin::describe_drain,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/leave", |call| Box::pin(cluster::admin::leave(call))),
        access: CLUSTER,
        body: BodyRule::Ignored,
        operation: "cluster_leave",
        summary: "Has the node leave its cluster for good",
        describe: cluster::admin::describe_leave,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/cluster/forget", |call| Box::pin(cluster::admin::forget(call))),
        access: CLUSTER,
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
        access: CLUSTER,
        body: BodyRule::Ignored,
        operation: "cluster_upgrade",
        summary: "Has the cluster write in the next format, once all members understand it",
        describe: cluster::admin::describe_upgrade,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/backups", |call| Box::pin(backups::list(call))),
        access: Access::Admin(Right::ReadBackups),
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
        access: Access::Admin(Right::CreateBackups),
        body: BodyRule::Ignored,
        operation: "create_backup",
        summary: "Begins a backup of this node",
        describe: backups::describe_create,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Named("/api/backups/{name}", |call, names| {
            Box::pin(backups::delete(call, names))
        }),
        access: Access::Admin(Right::DeleteBackups),
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
        access: Access::Admin(Right::ReadBackups),
        body: BodyRule::Ignored,
        operation: "backup_status",
        summary: "Tells whether a backup is being made, and what became of the last ones",
        describe: backups::describe_status,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/users", |call| {
            Box::pin(async move { accounts::users::list(call) })
        }),
        access: Access::Accounts(Right::ReadUsers),
        body: BodyRule::Ignored,
        operation: "list_users",
        summary: "Lists all users, by name",
        describe: accounts::users::describe_list,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/api/users", |call| Box::pin(accounts::users::create(call))),
        access: Access::Accounts(Right::CreateUsers),
        body: BodyRule::Value,
        operation: "create_user",
        summary: "Makes a user",
        describe: accounts::users::describe_create,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Named("/api/users/{name}", |call, names| {
            Box::pin(async move { accounts::users::read(&call, names) })
        }),
        access: Access::Accounts(Right::ReadUsers),
        body: BodyRule::Ignored,
        operation: "read_user",
        summary: "Reads a user",
        describe: accounts::users::describe_read,
    },
    Route {
        method: Method::PATCH,
        endpoint: Endpoint::Named("/api/users/{name}", |call, names| {
            Box::pin(accounts::users::update(call, names))
        }),
        access: Access::Accounts(Right::UpdateUsers),
        body: BodyRule::Value,
        operation: "update_user",
        summary: "Changes a user",
        describe: accounts::users::describe_update,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Named("/api/users/{name}", |call, names| {
            Box::pin(accounts::users::delete(call, names))
        }),
        access: Access::Accounts(Right::DeleteUsers),
        body: BodyRule::Ignored,
        operation: "delete_user",
        summary: "Deletes a user for good",
        describe: accounts::users::describe_delete,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/groups", |call| {
            Box::pin(async move { accounts::groups::list(call) })
        }),
        access: Access::Accounts(Right::ReadGroups),
        body: BodyRule::Ignored,
        operation: "list_groups",
        summary: "Lists all groups, by name",
        describe: accounts::groups::describe_list,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/api/groups", |call| Box::pin(accounts::groups::create(call))),
        access: Access::Accounts(Right::CreateGroups),
        body: BodyRule::Value,
        operation: "create_group",
        summary: "Makes a group",
        describe: accounts::groups::describe_create,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Named("/api/groups/{name}", |call, names| {
            Box::pin(async move { accounts::groups::read(&call, names) })
        }),
        access: Access::Accounts(Right::ReadGroups),
        body: BodyRule::Ignored,
        operation: "read_group",
        summary: "Reads a group",
        describe: accounts::groups::describe_read,
    },
    Route {
        method: Method::PATCH,
        endpoint: Endpoint::Named("/api/groups/{name}", |call, names| {
            Box::pin(accounts::groups::update(call, names))
        }),
        access: Access::Accounts(Right::UpdateGroups),
        body: BodyRule::Value,
        operation: "update_group",
        summary: "Changes a group",
        describe: accounts::groups::describe_update,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Named("/api/groups/{name}", |call, names| {
            Box::pin(accounts::groups::delete(call, names))
        }),
        access: Access::Accounts(Right::DeleteGroups),
        body: BodyRule::Ignored,
        operation: "delete_group",
        summary: "Deletes a group",
        describe: accounts::groups::describe_delete,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Named("/api/groups/{name}/members", |call, names| {
            Box::pin(async move { accounts::members::list(call, names) })
        }),
        access: Access::Accounts(Right::ReadGroups),
        body: BodyRule::Ignored,
        operation: "list_group_members",
        summary: "Lists who is in a group, by name",
        describe: accounts::members::describe_list,
    },
    Route {
        method: Method::PUT,
        endpoint: Endpoint::Named("/api/groups/{name}/members/{user}", |call, names| {
            Box::pin(accounts::members::add(call, names))
        }),
        access: Access::Accounts(Right::UpdateGroups),
        body: BodyRule::Ignored,
        operation: "add_group_member",
        summary: "Puts a user into a group",
        describe: accounts::members::describe_change,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Named("/api/groups/{name}/members/{user}", |call, names| {
            Box::pin(accounts::members::remove(call, names))
        }),
        access: Access::Accounts(Right::UpdateGroups),
        body: BodyRule::Ignored,
        operation: "remove_group_member",
        summary: "Takes a user out of a group",
        describe: accounts::members::describe_change,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/tokens", |call| {
            Box::pin(async move { accounts::tokens::list(call) })
        }),
        access: Access::Accounts(Right::ReadTokens),
        body: BodyRule::Ignored,
        operation: "list_tokens",
        summary: "Lists what is known of tokens",
        describe: accounts::tokens::describe_list,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/api/tokens", |call| Box::pin(accounts::tokens::create(call))),
        access: Access::Accounts(Right::CreateTokens),
        body: BodyRule::Value,
        operation: "create_token",
        summary: "Makes a token",
        describe: accounts::tokens::describe_create,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Named("/api/tokens/{token}", |call, names| {
            Box::pin(async move { accounts::tokens::read(&call, names) })
        }),
        access: Access::Accounts(Right::ReadTokens),
        body: BodyRule::Ignored,
        operation: "read_token",
        summary: "Reads what is known of a token",
        describe: accounts::tokens::describe_read,
    },
    Route {
        method: Method::DELETE,
        endpoint: Endpoint::Named("/api/tokens/{token}", |call, names| {
            Box::pin(accounts::tokens::revoke(call, names))
        }),
        access: Access::Accounts(Right::RevokeTokens),
        body: BodyRule::Ignored,
        operation: "revoke_token",
        summary: "Has a token refused from now on",
        describe: accounts::tokens::describe_revoke,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/keys", |call| {
            Box::pin(async move { accounts::keys::list(call) })
        }),
        access: Access::Accounts(Right::ReadTokens),
        body: BodyRule::Ignored,
        operation: "list_token_keys",
        summary: "Lists the keys that tokens are signed with",
        describe: accounts::keys::describe_list,
    },
    Route {
        method: Method::POST,
        endpoint: Endpoint::Fixed("/api/keys", |call| Box::pin(accounts::keys::rotate(call))),
        access: Access::Accounts(Right::UpdateCluster),
        body: BodyRule::Value,
        operation: "rotate_token_keys",
        summary: "Makes a new key that tokens are signed with",
        describe: accounts::keys::describe_rotate,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/whoami", |call| {
            Box::pin(async move { accounts::whoami::answer(&call) })
        }),
        access: Access::Known,
        body: BodyRule::Ignored,
        operation: "whoami",
        summary: "Tells who asks, and what they may do",
        describe: accounts::whoami::describe,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/explain", |call| Box::pin(accounts::explain::answer(call))),
        access: Access::Known,
        body: BodyRule::Ignored,
        operation: "explain",
        summary: "Tells whether somebody may do something with a key, and why",
        describe: accounts::explain::describe,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/audit", |call| Box::pin(audit::list(call))),
        access: Access::Admin(Right::ReadAudit),
        body: BodyRule::Ignored,
        operation: "list_audit_entries",
        summary: "Lists entries of the node's tamper-evident log",
        describe: audit::describe_list,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/api/audit/head", |call| Box::pin(audit::head(call))),
        access: Access::Admin(Right::ReadAudit),
        body: BodyRule::Ignored,
        operation: "audit_head",
        summary: "Tells the signed head of the node's tamper-evident log",
        describe: audit::describe_head,
    },
    Route {
        method: Method::GET,
        endpoint: Endpoint::Fixed("/metrics", |call| Box::pin(metrics::serve(call))),
        access: Access::PublicIf(Switch::Metrics),
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
