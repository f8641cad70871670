//! What the API description says of the routes about the node.

use kvs_client::{Health, Members};
use utoipa::openapi::path::OperationBuilder;

use crate::http::metrics;
use crate::http::openapi::describe::{Describe, answer, text};

/// `/livez`.
pub(in crate::http) fn live(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<Health>(200, "The process answers.")
}

/// `/readyz`.
pub(in crate::http) fn ready(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<Health>(200, "The node serves.").refuses(&[503])
}

/// `/health`.
pub(in crate::http) fn state(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<Health>(200, "What the node is and does.")
}

/// `/members/`.
pub(in crate::http) fn members(operation: OperationBuilder) -> OperationBuilder {
    operation
        .answers::<Members>(200, "The nodes that this one knows, itself included.")
        .refuses(&[404])
}

/// `/metrics`.
pub(in crate::http) fn metrics(operation: OperationBuilder) -> OperationBuilder {
    let said = "Figures in the OpenMetrics text format. There are no keys or values in them.";
    operation
        .answers_with(200, answer(said, &[(metrics::CONTENT_TYPE, text().into())]))
        .refuses(&[404])
}
