use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn value() -> impl Strategy<Value = Value> {
    let content_type = prop_oneof![Just("application/json"), Just("text/plain"), Just("image/png")];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        (1usize..3000).prop_map(|length| vec![b'z'; length]),
    ];
    (content_type, bytes, any::<bool>()).prop_map(|(name, bytes, compress)| {
        let content_type = ContentType::parse(name).unwrap();
        if compress {
            Value::compressed(content_type, bytes.into(), 3)
        } else {
            Value::plain(content_type, bytes.into())
        }
    })
}

fn meta() -> impl Strategy<Value = Meta> {
    (option::of(uuid()), option::of(uuid()), option::of(0u64..0x1000), option::of(any::<u32>()))
        .prop_map(|(owner, group, mode, ttl)| Meta {
            owner: owner.map(UserId::new),
            group: group.map(GroupId::new),
            mode: mode.map(|bits| Mode::from_bits(bits).unwrap()),
            ttl: ttl.map(|millis| Duration::from_millis(millis.into())),
        })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![value().prop_map(Body::Value), meta().prop_map(Body::Meta), Just(Body::Tombstone)]
}

prop_compose! {
    fn version()(
        stamp in any::<u64>(),
        node in uuid(),
        joined in any::<u64>(),
        id in uuid(),
        created in option::of(any::<u64>()),
        owner in option::of(uuid()),
        expires in option::of(any::<u64>()),
        body in body(),
    ) -> Version {
        let stamp = Stamp::from_bits(stamp);
        Version {
            stamp,
            origin: Origin { node: NodeId::new(node), joined: UnixMillis(joined) },
            uuid: VersionId::new(id),
            created_at: created.map_or(stamp.millis(), UnixMillis),
            owner: owner.map(UserId::new),
            expires_at: expires.map(UnixMillis),
            body,
        }
    }
}

prop_compose! {
    fn local()(sequence in any::<u64>(), revisions in prop::collection::vec((any::<u64>(), uuid()), 0..5)) -> Local {
        let revision = |(stamp, id)| RevisionId { stamp: Stamp::from_bits(stamp), uuid: VersionId::new(id) };
        Local { sequence, revisions: revisions.into_iter().map(revision).collect() }
    }
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::One), Just(Format::Two)]
}

proptest! {
    #[test]
    fn a_version_survives_its_encoding(version in version(), format in format()) {
        let bytes = encode(&version, format);
        prop_assert_eq!(format_of(&bytes), Some(format));
        prop_assert_eq!(decode(&bytes.into()), Ok(version));
    }

    #[test]
    fn a_changed_bit_of_format_2_is_noticed(version in version(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = encode(&version, Format::Two);
        let at = 1 + at.index(bytes.len() - 1);
        bytes[at] ^= 1u8 << bit;
        prop_assert_eq!(decode(&bytes.into()), Err(DecodeError::Checksum));
    }

    #[test]
    fn a_row_survives_its_encoding_and_its_head_agrees(
        local in local(),
        version in version(),
        format in format(),
    ) {
        let row = Bytes::from(encode_row(&local, &version, format));
        prop_assert_eq!(version_of_row(&row), Some(encode(&version, format)));
        prop_assert_eq!(decode_row_head(&row), Ok((local.clone(), version.head())));
        prop_assert_eq!(decode_row(&row), Ok((local, version)));
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), format in option::of(format())) {
        let mut bytes = bytes;
        if let (Some(format), Some(first)) = (format, bytes.first_mut()) {
            *first = format.number();
        }
        let bytes = Bytes::from(bytes);
        let _ = decode_row_head(&bytes);
        let _ = decode_row(&bytes);
        if let Ok(version) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&version, Format::NEWEST).into()), Ok(version));
        }
    }

    #[test]
    fn every_cut_before_the_body_is_noticed(
        local in local(),
        version in version(),
        format in format(),
        cut in 0usize..60,
    ) {
        let row = encode_row(&local, &version, format);
        let head = 58;
        let cut = &row[..cut.min(head - 1)];
        prop_assert!(decode_row_head(cut).is_err());
    }
}

#[test]
fn an_unknown_format_is_named() {
    let error = decode(&Bytes::from_static(&[3, 0])).unwrap_err();
    assert_eq!(error.to_string(), "format 3 is unknown; this build reads formats 1 to 2");
}

/// The bytes themselves: what is on users' disks must go on being read.
#[test]
fn formats_are_what_they_were() {
    let version = Version {
        stamp: Stamp::from_bits(0x0102_0304_0506_0708),
        origin: Origin { node: NodeId::from_bytes([0xaa; 16]), joined: UnixMillis(9) },
        uuid: VersionId::from_bytes([0xbb; 16]),
        created_at: UnixMillis(7),
        owner: Some(UserId::from_bytes([0xcc; 16])),
        expires_at: Some(UnixMillis(8)),
        body: Body::Value(Value::plain(
            ContentType::parse("a/b").unwrap(),
            Bytes::from_static(b"hi"),
        )),
    };
    let revision =
        RevisionId { stamp: Stamp::from_bits(5), uuid: VersionId::from_bytes([0xdd; 16]) };
    let local = Local { sequence: 3, revisions: vec![revision] };
    let row = encode_row(&local, &version, Format::One);
    let mut expected = vec![1, 3, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([0xdd; 16]);
    expected.extend([0b0101_1100, 8, 7, 6, 5, 4, 3, 2, 1]);
    expected.extend([0xaa; 16]);
    expected.extend([9, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0xbb; 16]);
    expected.extend([8, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0xcc; 16]);
    expected.extend([7, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([3, b'a', b'/', b'b', b'h', b'i']);
    assert_eq!(row, expected);
    expected[0] = 2;
    expected.extend(crc32c::crc32c(&expected[1 + 8 + 1 + 24..]).to_le_bytes());
    assert_eq!(encode_row(&local, &version, Format::Two), expected);
}
