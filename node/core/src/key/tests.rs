use proptest::prelude::*;

use super::*;

fn key(text: &str) -> Key {
    Key::client(text).unwrap()
}

fn segment() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 .~%é漢-]{1,6}".prop_filter("dots", |text| text != "." && text != "..")
}

prop_compose! {
    fn any_key()(segments in prop::collection::vec(segment(), 1..6)) -> Key {
        key(&segments.join("/"))
    }
}

proptest! {
    #[test]
    fn a_key_survives_its_encoding(key in any_key(), tail in prop::collection::vec(any::<u8>(), 0..4)) {
        let mut row = Vec::new();
        key.encode_into(&mut row);
        let length = row.len();
        row.extend(tail);
        prop_assert_eq!(Key::decode(&row), Ok((key, length)));
    }

    #[test]
    fn byte_order_is_path_order(a in any_key(), b in any_key()) {
        let encode = |key: &Key| { let mut row = Vec::new(); key.encode_into(&mut row); row };
        let by_segments = a.segments().cmp(b.segments());
        prop_assert_eq!(encode(&a).cmp(&encode(&b)), by_segments);
    }

    #[test]
    fn a_subtree_is_exactly_its_range(prefix in any_key(), other in any_key(), below in any_key()) {
        let (start, end) = Prefix::Under(prefix.clone()).range(Kind::Value);
        let within = |key: &Key| {
            let row = RecordId::value(key.clone()).encode();
            row >= start && row < end
        };
        let child = format!("{prefix}/{below}");
        prop_assert!(within(&key(&child)));
        prop_assert!(!within(&prefix));
        prop_assert_eq!(within(&other), Prefix::Under(prefix).covers(&other));
    }

    #[test]
    fn decoding_any_bytes_gives_a_key_that_encodes_to_them_or_an_error(row in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok((key, used)) = Key::decode(&row) {
            let mut again = Vec::new();
            key.encode_into(&mut again);
            prop_assert_eq!(&again, &row[..used]);
        }
    }

    #[test]
    fn a_percent_encoded_path_names_the_key_it_spells(key in any_key()) {
        let encode = |segment| percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string();
        let path = key.segments().map(encode).collect::<Vec<_>>().join("/");
        prop_assert_eq!(Key::from_url_path(&path), Ok(key));
    }
}

#[test]
fn each_broken_rule_is_named() {
    let cases = [
        ("", KeyError::Empty),
        ("/", KeyError::Empty),
        ("a/", KeyError::TrailingSlash),
        ("a//b", KeyError::EmptySegment(2)),
        ("//a", KeyError::EmptySegment(1)),
        ("a/./b", KeyError::DotSegment(2, ".".into())),
        ("..", KeyError::DotSegment(1, "..".into())),
        ("a/%00", KeyError::Control(2, 0)),
        ("a%0Ab", KeyError::Control(1, 10)),
        ("a/%C2%85", KeyError::Control(2, 0x85)),
        ("a/_b", KeyError::Reserved(2, "_b".into())),
        ("%5Fb", KeyError::Reserved(1, "_b".into())),
        ("_system/users/x", KeyError::System),
        ("%5Fsystem", KeyError::System),
        ("a/_system", KeyError::Reserved(2, "_system".into())),
        ("a%2Fb", KeyError::EncodedSlash(1)),
        ("a/b%2f", KeyError::EncodedSlash(2)),
        ("a%", KeyError::BadEscape(1)),
        ("a%2", KeyError::BadEscape(1)),
        ("a/%zz", KeyError::BadEscape(2)),
        ("%ff", KeyError::NotUtf8(1)),
    ];
    for (path, expected) in cases {
        assert_eq!(Key::from_url_path(path), Err(expected), "{path}");
    }
}

#[test]
fn decoding_happens_once() {
    assert_eq!(Key::from_url_path("a%252Fb").unwrap().as_str(), "a%2Fb");
}

#[test]
fn the_longest_and_the_deepest_key_are_accepted_and_one_more_is_not() {
    assert!(Key::client(&"k".repeat(MAX_BYTES)).is_ok());
    assert_eq!(Key::client(&"k".repeat(MAX_BYTES + 1)), Err(KeyError::TooLong(MAX_BYTES + 1)));
    let deep = |segments| vec!["s"; segments].join("/");
    assert!(Key::client(&deep(MAX_SEGMENTS)).is_ok());
    let over = MAX_SEGMENTS + 1;
    assert_eq!(Key::client(&deep(over)), Err(KeyError::TooManySegments(over)));
}

#[test]
fn ancestors_go_from_the_nearest_up() {
    let names: Vec<_> = key("a/b/c").ancestors().map(|key| key.to_string()).collect();
    assert_eq!(names, ["a/b", "a"]);
}

#[test]
fn only_the_system_makes_system_keys() {
    assert!(Key::system("_system/users/1").unwrap().is_system());
    assert!(!key("system").is_system());
}
