//! What the API description says of `_ls` and `_tree`.

use kvs_client::{JSON_CONTENT_TYPE, ListItem, More, NestedTree, Page, TreeItem};
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::{OneOfBuilder, Schema};

use super::{MOST_ITEMS, tree};
use crate::http::openapi::describe::{Describe, answer, count, one_of, reference, switch, text};

/// Of `after`, for every list.
pub(in crate::http) const AFTER: &str =
    "The `next` of the page before. Without it the list begins at its beginning.";

/// `_ls`.
pub(in crate::http) fn list(operation: OperationBuilder) -> OperationBuilder {
    operation
        .query("limit", count(1, MOST_ITEMS), "The most items of a page; 100 without it.")
        .query("after", text(), AFTER)
        .query("metadata", switch(), "Adds version, times, size and type to items with a value.")
        .answers::<Page<ListItem>>(200, "Direct children in the order of their names' bytes.")
}

/// `_tree`.
pub(in crate::http) fn tree(operation: OperationBuilder) -> OperationBuilder {
    let bodies = [
        (JSON_CONTENT_TYPE, either(reference::<Page<TreeItem>>(), reference::<NestedTree>())),
        (tree::LINES, either(reference::<TreeItem>(), reference::<More>())),
    ];
    let said = "Values in the order of keys. With `format=nested` objects within objects. With \
                `Accept: application/x-ndjson` one item a line, JSON values compacted; a last line \
                with `next` alone says that there is more.";
    operation
        .query("limit", count(1, tree::MOST_ITEMS), "The most values of a page; 500 without it.")
        .query("after", text(), AFTER)
        .query(
            "depth",
            count(1, tree::DEEPEST),
            "How many segments below the prefix; 64 without it.",
        )
        .query("format", one_of(&["json", "nested"]), "What the answer looks like.")
        .answers_with(200, answer(said, &bodies))
}

type Referred = utoipa::openapi::RefOr<Schema>;

fn either(one: Referred, other: Referred) -> Referred {
    Schema::from(OneOfBuilder::new().item(one).item(other).build()).into()
}
