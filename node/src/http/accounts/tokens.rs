//! `/api/tokens`.

use http::StatusCode;
use kvs_client::{CreatedToken, NewToken as Body, Page, Token as View};
use kvs_core::account::{Directory, Name, Token};
use kvs_core::{TokenId, UnixMillis, UserId};
use utoipa::openapi::path::OperationBuilder;

use super::{Wanted, changes, done, json, name, names, scopes};
use crate::accounts::{AccountError, NewToken};
use crate::http::kv::ttl;
use crate::http::openapi::describe::{Describe as _, answer, text};
use crate::http::{Answer, Call, Problem, body};

/// `GET /api/tokens`.
pub(in crate::http) fn list(mut call: Call) -> Answer {
    let wanted = Wanted::take(&mut call.query)?;
    let of = call.query.take("user").map(|text| name("user", &text)).transpose()?;
    call.query.finish(&["limit", "after", "user"])?;
    let now = call.node.now();
    let directory = call.node.accounts().directory();
    let of: Option<UserId> = of.map(|name| user_id(&directory, &name, now)).transpose()?;
    let alive = directory.tokens().filter(|token| now < token.expires_at.millis());
    let known = alive.filter(|token| of.is_none_or(|user| token.user == user));
    json(
        StatusCode::OK,
        &wanted.page(known.map(|token| (token.id.to_string(), view(&directory, token, now)))),
    )
}

/// `POST /api/tokens`.
pub(in crate::http) async fn create(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let Body { user, scopes: wanted, ttl } = body::read(&call)?;
    let ttl = ttl.map(|text| ttl::parse(&text)).transpose();
    let wanted = NewToken {
        user: user.map(|text| name("user", &text)).transpose()?,
        scopes: wanted.map(|texts| scopes(&texts)).transpose()?,
        ttl: ttl.map_err(|reason| Problem::Content(format!("ttl: {reason}")))?,
    };
    let made = changes(&call).create_token(wanted).await?;
    let directory = call.node.accounts().directory();
    let about = view(&directory, &made.record, call.node.now());
    json(StatusCode::CREATED, &CreatedToken { token: made.token, about })
}

/// `GET /api/tokens/{token}`.
pub(in crate::http) fn read(call: &Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    let (id, now) = (id(path)?, call.node.now());
    let directory = call.node.accounts().directory();
    let token = directory.token(id, now).ok_or(AccountError::NoToken(id))?;
    json(StatusCode::OK, &view(&directory, token, now))
}

/// `DELETE /api/tokens/{token}`.
pub(in crate::http) async fn revoke(call: Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    changes(&call).revoke_token(id(path)?).await?;
    Ok(done())
}

fn id(path: Vec<String>) -> Result<TokenId, Problem> {
    let [text] = names(path)?;
    let unknown = |_malformed| AccountError::Unknown { what: "token", name: text.clone() }.into();
    text.parse().map_err(unknown)
}

fn user_id(directory: &Directory, name: &Name, now: UnixMillis) -> Result<UserId, Problem> {
    let unknown = || AccountError::Unknown { what: "user", name: name.to_string() };
    Ok(directory.user(name, now).ok_or_else(unknown)?.id)
}

fn view(directory: &Directory, token: &Token, now: UnixMillis) -> View {
    View {
        id: TokenId::uuid(token.id),
        user: directory.user_by_id(token.user, now).map(|user| user.name.to_string()),
        user_id: UserId::uuid(token.user),
        scopes: token.scopes.clone().into(),
        kid: token.kid.to_string(),
        issued: token.issued_at.millis().0,
        expires: token.expires_at.millis().0,
    }
}

pub(in crate::http) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    super::users::listed(operation)
        .query("user", text(), "Only the tokens of this user.")
        .answers::<Page<View>>(200, "What is known of tokens, never the tokens themselves.")
        .refuses(&[404])
}

pub(in crate::http) fn describe_create(operation: OperationBuilder) -> OperationBuilder {
    let operation = operation.takes_json::<Body>();
    operation.answers::<CreatedToken>(201, "The token, shown this once.").refuses(&[404, 422])
}

pub(in crate::http) fn describe_read(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<View>(200, "What is known of the token.")
}

pub(in crate::http) fn describe_revoke(operation: OperationBuilder) -> OperationBuilder {
    let said = "This node refuses the token from now on, and every other one once it has heard.";
    operation.answers_with(204, answer(said, &[]))
}
