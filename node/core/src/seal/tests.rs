use proptest::prelude::*;

use super::*;

const CLUSTER: [u8; 16] = [7; 16];
const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

fn sealer(boot: u64, first: &[u8; 32], others: &[[u8; 32]]) -> Sealer {
    Sealer::new(KeyRing::new(CLUSTER, first, others), BootId(boot))
}

fn nonce() -> [u8; NONCE] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

proptest! {
    // A case of the second law opens some 800 datagrams.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_is_opened_once(payload: Vec<u8>, nonce: [u8; NONCE]) {
        let (mut alice, mut bob) = (sealer(1, &OLD, &[]), sealer(2, &OLD, &[]));
        let datagram = alice.seal(nonce, &payload);
        prop_assert_eq!(datagram.len(), payload.len() + OVERHEAD);
        prop_assert_eq!(bob.open(&datagram), Ok(payload));
        let replayed = OpenError::Replayed { boot: BootId(1), counter: 1 };
        prop_assert_eq!(bob.open(&datagram), Err(replayed));
        prop_assert_eq!(alice.open(&datagram), Err(replayed), "its own");
    }

    #[test]
    fn no_bit_can_be_flipped(payload in prop::collection::vec(any::<u8>(), 0..40)) {
        let (mut alice, mut bob) = (sealer(1, &OLD, &[]), sealer(2, &OLD, &[]));
        let datagram = alice.seal(nonce(), &payload);
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let refused = bob.open(&flipped).unwrap_err();
            match bit / 8 {
                0 => prop_assert_eq!(refused, OpenError::UnknownVersion(flipped[0])),
                1..5 => prop_assert!(matches!(refused, OpenError::UnknownKey(_))),
                _ => prop_assert_eq!(refused, OpenError::Forged),
            }
        }
        prop_assert_eq!(bob.open(&datagram), Ok(payload), "none of these had an effect");
    }

    #[test]
    fn any_bytes_are_refused(mut bytes: Vec<u8>, known in any::<bool>()) {
        let mut bob = sealer(2, &OLD, &[]);
        if known && bytes.len() >= HEADER {
            let start = sealer(1, &OLD, &[]).seal(nonce(), &[]);
            bytes[..=KEY_ID].copy_from_slice(&start[..=KEY_ID]);
        }
        prop_assert!(bob.open(&bytes).is_err());
    }
}

#[test]
fn the_format_is_what_it_was() {
    let datagram = sealer(0x0102, &OLD, &[]).seal(nonce(), b"payload");
    let hex = datagram.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(
        hex,
        concat!(
            "01",
            "90e70227",
            "000102030405060708090a0b0c0d0e0f1011121314151617",
            "9b8dab7794569f1aa449e79a772c84d04de43e8cdfd4d9",
            "392961cd8abcab7ec45faba1c29042d7",
        )
    );
    assert_eq!(OVERHEAD, 61);
}

#[test]
fn a_datagram_one_byte_too_short_is_named_so() {
    let mut bob = sealer(2, &OLD, &[]);
    let datagram = sealer(1, &OLD, &[]).seal(nonce(), b"");
    assert_eq!(datagram.len(), OVERHEAD);
    assert_eq!(bob.open(&datagram[..OVERHEAD - 1]), Err(OpenError::TooShort(OVERHEAD - 1)));
    assert_eq!(bob.open(&[]), Err(OpenError::TooShort(0)));
    assert_eq!(bob.open(&datagram), Ok(Vec::new()));
}

#[test]
fn another_key_and_another_cluster_are_refused() {
    let datagram = sealer(1, &NEW, &[]).seal(nonce(), b"payload");
    let refused = sealer(2, &OLD, &[]).open(&datagram);
    assert!(matches!(refused, Err(OpenError::UnknownKey(_))));
    let elsewhere = KeyRing::new([8; 16], &NEW, &[]);
    assert_eq!(Sealer::new(elsewhere, BootId(2)).open(&datagram), Err(OpenError::Forged));
}

#[test]
fn a_secret_is_rotated_without_a_datagram_lost() {
    let (mut alice, mut bob) = (sealer(1, &OLD, &[]), sealer(2, &OLD, &[]));
    let rings = [(OLD, vec![NEW]), (NEW, vec![OLD]), (NEW, vec![])];
    for (first, others) in rings {
        alice.rotate(KeyRing::new(CLUSTER, &first, &others));
        talk(&mut alice, &mut bob);
        bob.rotate(KeyRing::new(CLUSTER, &first, &others));
        talk(&mut alice, &mut bob);
    }
    let stranger = sealer(3, &OLD, &[]).seal(nonce(), b"late");
    assert!(matches!(alice.open(&stranger), Err(OpenError::UnknownKey(_))));
}

fn talk(alice: &mut Sealer, bob: &mut Sealer) {
    let (to_bob, to_alice) = (alice.seal(nonce(), b"a"), bob.seal(nonce(), b"b"));
    assert_eq!(bob.open(&to_bob), Ok(b"a".to_vec()));
    assert_eq!(alice.open(&to_alice), Ok(b"b".to_vec()));
}

#[test]
fn keys_are_not_shown() {
    let ring = KeyRing::new(CLUSTER, &OLD, &[NEW]);
    let shown = format!("{ring:?}");
    assert_eq!(shown.len(), r#"["01234567", "89abcdef"]"#.len());
}
