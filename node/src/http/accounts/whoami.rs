//! `GET /api/whoami`.

use http::StatusCode;
use kvs_client::WhoAmI;
use kvs_core::account::Name;
use kvs_core::{TokenId, UserId};
use utoipa::openapi::path::OperationBuilder;

use super::json;
use crate::http::openapi::describe::Describe as _;
use crate::http::{Answer, Call};

/// `GET /api/whoami`.
pub(in crate::http) fn answer(call: &Call) -> Answer {
    call.query.finish(&[])?;
    let bearer = call.caller.token();
    let groups = {
        let directory = call.node.accounts().directory();
        let ids = bearer.map(|bearer| bearer.rights.groups.clone()).unwrap_or_default();
        let names = ids.iter().filter_map(|id| Some(directory.group_by_id(*id)?.name.to_string()));
        names.collect()
    };
    let view = WhoAmI {
        user: bearer.map(|bearer| Name::to_string(&bearer.name)),
        id: call.caller.user().map(UserId::uuid),
        groups,
        scopes: call.caller.scopes().into(),
        // Somebody for whom others vouch has none of our tokens.
        token: bearer
            .filter(|bearer| bearer.outside.is_none())
            .map(|bearer| TokenId::uuid(bearer.claims.jti)),
        expires: bearer.map(|bearer| bearer.claims.exp.millis().0),
    };
    json(StatusCode::OK, &view)
}

pub(in crate::http) fn describe(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<WhoAmI>(200, "Who asks, and what they may do before modes.")
}
