//! `/api/keys`: the keys that tokens are signed with.

use http::StatusCode;
use kvs_client::{Page, RotateKeys, RotatedKeys, TokenKey};
use utoipa::openapi::path::OperationBuilder;

use super::{Wanted, changes, json};
use crate::http::openapi::describe::Describe as _;
use crate::http::{Answer, Call, body};

/// `GET /api/keys`.
pub(in crate::http) fn list(mut call: Call) -> Answer {
    let wanted = Wanted::take(&mut call.query)?;
    call.query.finish(&["limit", "after"])?;
    let page = {
        let directory = call.node.accounts().directory();
        let keys = directory.signing_keys(call.node.now()).map(|(_, key)| {
            let kid = key.kid.to_string();
            (kid.clone(), TokenKey { kid, created: key.created_at.0 })
        });
        wanted.page(keys)
    };
    json(StatusCode::OK, &page)
}

/// `POST /api/keys`.
pub(in crate::http) async fn rotate(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let RotateKeys { revoke_old } = body::read(&call)?;
    let (kid, revoked) = changes(&call).rotate_key(revoke_old).await?;
    tracing::warn!(%kid, revoked = revoked.len(), "a new key signs tokens, once all members have it");
    let revoked = revoked.iter().map(ToString::to_string).collect();
    json(StatusCode::CREATED, &RotatedKeys { kid: kid.to_string(), revoked })
}

pub(in crate::http) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    super::users::listed(operation).answers::<Page<TokenKey>>(200, "Keys that are not revoked.")
}

pub(in crate::http) fn describe_rotate(operation: OperationBuilder) -> OperationBuilder {
    let said = "The new key signs once every member of the cluster holds it. Tokens of the old ones \
                are good until they end, unless `revoke_old` was asked for.";
    operation.takes_json::<RotateKeys>().answers::<RotatedKeys>(201, said).refuses(&[422])
}
