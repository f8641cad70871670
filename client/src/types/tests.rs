use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::*;

const UUID: Uuid = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);
const ID: &str = r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#;

fn json(text: &str) -> Value {
    Value::Json(RawValue::from_string(text.to_owned()).expect("JSON"))
}

/// `value` is written as `text` and read back from it.
#[track_caller]
fn check<T>(value: &T, text: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = text.replace("ID", ID);
    assert_eq!(serde_json::to_string(value).expect("serialises"), text);
    assert_eq!(&serde_json::from_str::<T>(&text).expect("deserialises"), value);
}

#[track_caller]
fn refused<T: DeserializeOwned + std::fmt::Debug>(text: &str, reason: &str) {
    let error = serde_json::from_str::<T>(&text.replace("ID", ID)).expect_err("refused");
    assert!(error.to_string().contains(reason), "{error}");
}

fn stored(value: Value) -> Stored {
    Stored { uuid: UUID, timestamp: 1_700_000_000_000, value }
}

#[test]
fn stored_json_keeps_its_bytes() {
    let text = r#"{"uuid":ID,"timestamp":1700000000000,"data":{ "b" : 1.0, "a":1e2 }}"#;
    check(&stored(json(r#"{ "b" : 1.0, "a":1e2 }"#)), text);
}

#[test]
fn a_stored_null_is_a_value() {
    check(&stored(json("null")), r#"{"uuid":ID,"timestamp":1700000000000,"data":null}"#);
}

#[test]
fn stored_bytes_carry_their_type() {
    let text =
        r#"{"uuid":ID,"timestamp":1700000000000,"content_type":"image/png","data_base64":"AP8="}"#;
    check(&stored(Value::bytes("image/png", vec![0, 255])), text);
}

#[test]
fn stored_json_may_nest_as_deep_as_the_server_allows_and_deeper() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let text = format!(r#"{{"uuid":ID,"timestamp":1700000000000,"data":{deep}}}"#);
    check(&stored(json(&deep)), &text);
}

#[test]
fn a_value_is_either_json_or_bytes() {
    refused::<Stored>(r#"{"uuid":ID,"timestamp":1}"#, "a value is missing: give `data`");
    refused::<Stored>(r#"{"uuid":ID,"timestamp":1,"content_type":"a/b"}"#, "give either `data`");
    let both = r#"{"uuid":ID,"timestamp":1,"data":null,"content_type":"a/b","data_base64":""}"#;
    refused::<Stored>(both, "give either `data`");
    let bad = r#"{"uuid":ID,"timestamp":1,"content_type":"a/b","data_base64":"?"}"#;
    refused::<Stored>(bad, "not base64");
}

#[test]
fn a_listed_child_tells_its_metadata_only_when_it_has_some() {
    let mut item = ListItem {
        name: "FI".into(),
        key: "iso/3166-1/FI".into(),
        value: true,
        children: false,
        metadata: None,
    };
    let text = r#"{"name":"FI","key":"iso/3166-1/FI","value":true,"children":false}"#;
    check(
        &Page { items: vec![item.clone()], next: None },
        &format!(r#"{{"items":[{text}],"next":null}}"#),
    );
    item.metadata = Some(ItemMetadata {
        uuid: UUID,
        timestamp: 2,
        created: 1,
        expires: None,
        size: 7,
        content_type: JSON_CONTENT_TYPE.into(),
    });
    let more = r#","uuid":ID,"timestamp":2,"created":1,"expires":null,"size":7,"content_type":"application/json"}"#;
    check(&item, &format!("{}{more}", text.trim_end_matches('}')));
}

#[test]
fn a_tree_item_is_a_stored_value_with_its_key() {
    let item = |expires| TreeItem {
        key: "a/b".into(),
        uuid: UUID,
        timestamp: 1,
        expires,
        value: json("[ ]"),
    };
    let text = r#"{"items":[{"key":"a/b","uuid":ID,"timestamp":1,"data":[ ]}],"next":"c"}"#;
    check(&Page { items: vec![item(None)], next: Some("c".into()) }, text);
    check(&item(Some(2)), r#"{"key":"a/b","uuid":ID,"timestamp":1,"expires":2,"data":[ ]}"#);
}

#[test]
fn a_change_names_its_operation_in_lower_case() {
    for op in [ChangeOp::Put, ChangeOp::Delete, ChangeOp::Expire, ChangeOp::Metadata] {
        let change = Change {
            op,
            key: "a".into(),
            uuid: UUID,
            timestamp: 1,
            origin: UUID,
            expires: Some(2),
            cursor: "c".into(),
        };
        let text = format!(
            r#"{{"op":"{op}","key":"a","uuid":ID,"timestamp":1,"origin":ID,"expires":2,"cursor":"c"}}"#
        );
        check(&change, &text);
    }
}

#[test]
fn a_revision_says_why_it_was_superseded() {
    for (superseded, name) in [
        (Superseded::Older, "older"),
        (Superseded::YoungerOrigin, "younger-origin"),
        (Superseded::Uuid, "uuid"),
    ] {
        let revision = Revision {
            uuid: UUID,
            timestamp: 1,
            origin: UUID,
            current: false,
            superseded: Some(superseded),
            op: RevisionOp::Delete,
            size: None,
            content_type: None,
        };
        let text = format!(
            r#"{{"uuid":ID,"timestamp":1,"origin":ID,"current":false,"superseded":"{name}","op":"delete","size":null,"content_type":null}}"#
        );
        check(&revision, &text);
    }
}

#[test]
fn a_metadata_patch_tells_null_from_absent() {
    check(&MetadataPatch::default(), "{}");
    let clear = MetadataPatch { owner: Field::Clear, ttl: Field::Clear, ..Default::default() };
    check(&clear, r#"{"owner":null,"ttl":null}"#);
    let set = MetadataPatch {
        owner: Field::Set(UUID),
        group: Field::Set(UUID),
        mode: Some(ModeSetting::Bits(0xF31)),
        ttl: Field::Set("1h".into()),
    };
    check(&set, r#"{"owner":ID,"group":ID,"mode":3889,"ttl":"1h"}"#);
    let text = Some(ModeSetting::Text("cdwr--wr---r".into()));
    check(&MetadataPatch { mode: text, ..Default::default() }, r#"{"mode":"cdwr--wr---r"}"#);
}

#[test]
fn a_metadata_patch_refuses_unknown_fields_and_modes_that_are_none() {
    refused::<MetadataPatch>(r#"{"color":"red"}"#, "unknown field `color`");
    for mode in ["null", "65536", "-1", "[]"] {
        refused::<MetadataPatch>(&format!(r#"{{"mode":{mode}}}"#), "a mode is text like");
    }
}

#[test]
fn batch_items_read_as_they_are_written() {
    check(&BatchItem::get("a"), r#"{"op":"get","key":"a"}"#);
    check(&BatchItem::put("a", json("null")), r#"{"op":"put","key":"a","value":null}"#);
    let bytes = BatchItem::Put {
        key: "a".into(),
        value: Value::bytes("text/plain", "hi"),
        ttl: Some("1h".into()),
        if_match: Some(format!("\"{UUID}\"")),
        if_none_match: Some("*".into()),
    };
    let text = format!(
        r#"{{"op":"put","key":"a","content_type":"text/plain","data_base64":"aGk=","ttl":"1h","if_match":"\"{UUID}\"","if_none_match":"*"}}"#
    );
    check(&bytes, &text);
    let delete = BatchItem::Delete { key: "a".into(), if_match: Some("*".into()) };
    check(
        &BatchRequest { items: vec![delete] },
        r#"{"items":[{"op":"delete","key":"a","if_match":"*"}]}"#,
    );
}

#[test]
fn a_batch_item_refuses_what_its_operation_does_not_have() {
    refused::<BatchItem>(r#"{"op":"get","key":"a","ttl":"1h"}"#, "a get has no `ttl`");
    refused::<BatchItem>(r#"{"op":"get","key":"a","if_match":"*"}"#, "a get has no `if_match`");
    refused::<BatchItem>(r#"{"op":"delete","key":"a","value":null}"#, "a delete has no `value`");
    refused::<BatchItem>(r#"{"op":"put","key":"a"}"#, "a value is missing: give `value`");
    refused::<BatchItem>(r#"{"op":"put","key":"a","value":1,"data":1}"#, "unknown field `data`");
    refused::<BatchItem>(r#"{"op":"move","key":"a"}"#, "unknown variant `move`");
}

#[test]
fn batch_results_read_as_they_are_written() {
    let result = |status, outcome| BatchResult { status, outcome };
    let written = BatchOutcome::Written(Written { uuid: UUID, timestamp: 1 });
    check(&result(201, written), r#"{"status":201,"uuid":ID,"timestamp":1}"#);
    let read = BatchOutcome::Read(Stored { uuid: UUID, timestamp: 1, value: json("1.0") });
    check(&result(200, read), r#"{"status":200,"uuid":ID,"timestamp":1,"data":1.0}"#);
    check(&result(204, BatchOutcome::Deleted), r#"{"status":204}"#);
    let failed = BatchOutcome::Failed { problem: problem() };
    let text = r#"{"status":404,"problem":{"type":"absent","title":"Not found","status":404,"detail":"a was deleted","request_id":"r1","absence":"deleted","since":5}}"#;
    check(&BatchResponse { items: vec![result(404, failed)] }, &format!(r#"{{"items":[{text}]}}"#));
}

fn problem() -> Problem {
    Problem {
        kind: "absent".into(),
        title: "Not found".into(),
        status: 404,
        detail: "a was deleted".into(),
        request_id: Some("r1".into()),
        absence: Some(Absence::Deleted),
        since: Some(5),
    }
}

#[test]
fn a_problem_shows_what_to_tell_the_operator() {
    assert_eq!(problem().to_string(), "404 Not found: a was deleted (request r1)");
    let bare = r#"{"type":"about:blank","title":"Not found","status":404}"#;
    let bare: Problem = serde_json::from_str(bare).expect("detail may be absent");
    assert_eq!(bare.to_string(), "404 Not found");
}

#[test]
fn health_hides_what_the_caller_may_not_know() {
    let mut health = Health {
        status: "ok".into(),
        mode: "normal".into(),
        version: "0.1.0".into(),
        node_id: None,
        members: None,
        convergence: None,
        filled: None,
    };
    check(&health, r#"{"status":"ok","mode":"normal","version":"0.1.0"}"#);
    health.node_id = Some(UUID);
    health.members = Some(3);
    health.convergence = Some(Convergence::Converged);
    health.filled = Some(0.5);
    check(
        &health,
        r#"{"status":"ok","mode":"normal","version":"0.1.0","node_id":ID,"members":3,"convergence":"converged","filled":0.5}"#,
    );
}

#[cfg(feature = "openapi")]
mod openapi {
    use serde_json::{Value as Json, json};
    use utoipa::{PartialSchema, ToSchema};

    use super::super::*;

    fn schema<T: PartialSchema>() -> Json {
        serde_json::to_value(T::schema()).expect("schemas serialise")
    }

    #[test]
    fn a_stored_value_is_described_as_json_or_bytes() {
        let stored = schema::<Stored>();
        assert_eq!(stored["allOf"][0]["$ref"], "#/components/schemas/StoredValue", "{stored}");
        let value = schema::<Value>();
        assert_eq!(value["oneOf"][0]["required"], json!(["data"]), "{value}");
        assert_eq!(value["oneOf"][1]["required"], json!(["content_type", "data_base64"]));
    }

    #[test]
    fn every_type_that_a_schema_refers_to_is_collected() {
        let mut found = Vec::new();
        BatchRequest::schemas(&mut found);
        BatchResponse::schemas(&mut found);
        <Page<TreeItem>>::schemas(&mut found);
        MetadataPatch::schemas(&mut found);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "BatchItem",
            "BatchOp",
            "BatchResult",
            "Problem",
            "TreeItem",
            "StoredValue",
            "ModeSetting",
        ] {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
    }

    #[test]
    fn only_what_a_patch_must_have_is_required() {
        assert_eq!(schema::<MetadataPatch>().get("required"), None);
        assert_eq!(schema::<BatchItem>()["required"], json!(["op", "key"]));
        assert_eq!(schema::<BatchResult>()["required"], json!(["status"]));
    }

    #[test]
    fn a_page_is_named_for_its_items() {
        assert_eq!(<Page<Change>>::name(), "ChangePage");
        let page = schema::<Page<Change>>();
        assert_eq!(page["properties"]["items"]["items"]["$ref"], "#/components/schemas/Change");
        assert_eq!(page["properties"]["next"]["type"], json!(["string", "null"]), "{page}");
    }
}
