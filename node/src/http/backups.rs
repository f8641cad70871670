//! Backups of this node.

use std::sync::Arc;

use axum::body::Body;
use http::{Response, StatusCode};
use kvs_client::{BackupStarted, BackupStatus, Backups as Listed, JSON_CONTENT_TYPE};
use serde::Serialize;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponseBuilder;

use super::openapi::describe::Describe;
use super::page::answer;
use super::{Answer, Call, Problem};
use crate::backup::shelf::ShelfError;
use crate::backup::{BackupName, Backups, BeginError, Found};
use crate::node::Node;

/// `GET /api/backups`: what there is.
pub(super) async fn list(call: Call) -> Answer {
    call.query.finish(&[])?;
    let found = elsewhere(&call.node, Backups::find).await?;
    let target = call.node.backups().shelf().to_string();
    Ok(json(&Listed { target, backups: found.iter().map(Found::view).collect() }))
}

/// `POST /api/backups`: begins one.
pub(super) fn create(call: &Call) -> Answer {
    call.query.finish(&[])?;
    let name = Backups::begin(&call.node)?.to_string();
    let mut response = json(&BackupStarted { name });
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// `DELETE /api/backups/{name}`: deletes one.
pub(super) async fn delete(call: Call, name: String) -> Answer {
    call.query.finish(&[])?;
    let absent = || Problem::NoBackup(name.clone());
    let found = BackupName::parse(&name).ok_or_else(absent)?;
    if call.node.backups().is_making(&found) {
        return Err(BeginError::Busy(found).into());
    }
    if !elsewhere(&call.node, move |backups| backups.delete(&found)).await? {
        return Err(absent());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `GET /api/backup/status`: what goes on and what was.
pub(super) fn status(call: &Call) -> Answer {
    call.query.finish(&[])?;
    Ok(json(&call.node.backups().status()))
}

/// Does what waits for the disk or the network where it may.
async fn elsewhere<T: Send + 'static>(
    node: &Arc<Node>,
    what: impl FnOnce(&Backups) -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, Problem> {
    let node = node.clone();
    let done = tokio::task::spawn_blocking(move || what(node.backups())).await;
    done.map_err(|error| Problem::Internal(error.to_string()))?.map_err(Problem::from)
}

fn json(body: &impl Serialize) -> Response<Body> {
    // Plain structs: nothing in them can fail to be written.
    answer(JSON_CONTENT_TYPE, serde_json::to_vec(body).unwrap_or_default())
}

/// What the API description says of the list.
pub(super) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<Listed>(200, "The backups that are there.").refuses(&[502])
}

/// What the API description says of making one.
pub(super) fn describe_create(operation: OperationBuilder) -> OperationBuilder {
    let said = "It is being made; `/api/backup/status` tells how far it is.";
    operation.answers::<BackupStarted>(202, said).refuses(&[409, 503])
}

/// What the API description says of deleting one.
pub(super) fn describe_delete(operation: OperationBuilder) -> OperationBuilder {
    let gone = ResponseBuilder::new().description("It is deleted.");
    operation.answers_with(204, gone).refuses(&[404, 409, 502])
}

/// What the API description says of the status.
pub(super) fn describe_status(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<BackupStatus>(200, "What goes on and what was.")
}
