use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn counted<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from + u8::try_from(at).unwrap())
}

fn file() -> ClusterFile {
    ClusterFile::new(counted(0), counted(16), counted(48))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// The file's text with `from` replaced by `to`, and what reading it says.
fn said(from: &str, to: &str) -> String {
    let text = file().to_text();
    assert!(text.contains(from), "{from:?} in {text}");
    ClusterFile::parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn what_is_derived_is_part_of_the_format() {
    // From Python's hmac, so that two implementations agree.
    let file = file();
    assert_eq!(file.cluster().to_string(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    for (derived, golden) in [
        (
            file.gossip_key(0).unwrap(),
            "6e02b1cfb50ea0f6fde7a20426b821536e3c2f4fe4b0e667bcce6b119f5e3b7a",
        ),
        (
            file.tls_seed(0).unwrap(),
            "6332d0c4f6329842c53857ead32fab073a94317395c971482b50318e3a57213f",
        ),
        (file.digest_key(), "a626787d7d60122e4137cfedd7fc546c74f7dd529c8119d4df71b04ebfe759b4"),
    ] {
        assert_eq!(hex(&derived), golden);
    }
    assert_eq!(hex(&file.fingerprint(0).unwrap()), "465c28c2");
    assert_eq!(file.signing_key().id(), "c4ebd3f139f3a7f6");
    assert_eq!((file.gossip_key(1), file.tls_seed(1)), (None, None));
}

#[test]
fn the_text_of_a_file_reads_as_the_same_file() {
    let mut file = file();
    for secret in 0..7 {
        file.add_secret([secret; 32]).unwrap();
    }
    assert_eq!(ClusterFile::parse(&file.to_text()).unwrap(), file);
    assert_eq!(file.add_secret([9; 32]), Err(RingError::Full));
    let nine = file.to_text().replace("# The first key", &format!("- {}=\n# ", "A".repeat(43)));
    assert!(ClusterFile::parse(&nine).unwrap_err().to_string().contains("1 to 8"));
}

#[test]
fn a_file_that_was_quoted_otherwise_reads_the_same() {
    let text = file().to_text().replace("seed: \"", "seed: '").replace("=\"\n", "='\n");
    let text = text.replace("- \"", "- '").replace("cluster: ", "'cluster': ");
    assert_eq!(ClusterFile::parse(&text).unwrap(), file());
}

#[test]
fn every_wrong_field_is_named_with_what_is_allowed() {
    let secret = "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8=";
    for (from, to, words) in [
        ("format: 1", "format: 2", "format is 2, and this build reads formats up to 1"),
        ("format: 1", "format: 0", "format must be 1"),
        ("format: 1", "format: one", "format must be 1"),
        ("format: 1", "", "format is missing"),
        ("cluster: 0001", "cluster: 001", "cluster is not a UUID"),
        ("cluster: 00", "cluster: [] # ", "cluster must be a text"),
        ("cluster:", "Cluster:", "cluster is missing"),
        ("signing_key:", "more: 1\nsigning_key:", "no field more"),
        ("  id:", "  kid: 1\n  id:", "no field signing_key.kid"),
        ("  id: \"", "  id: \"-", "signing_key.id must be 1 to 64 letters and digits"),
        ("  seed: \"", "  seed: 12 # \"", "signing_key.seed must be a text"),
        (secret, "EBES", "secret 1 is base64 of 3 bytes; 32 are wanted"),
        (secret, "?", "secret 1 is not base64"),
        ("- \"", "# ", "secrets must be a list"),
        ("cluster:", "\tcluster:", "line"),
        ("cluster:", "format: 1\ncluster:", "line 4 cannot be read"),
    ] {
        let said = said(from, to);
        assert!(said.contains(words), "{words:?} in {said:?}");
        assert!(!said.contains("EBES"), "{said}");
    }
    for text in ["", "[]", "just words", "null"] {
        assert_eq!(ClusterFile::parse(text), Err(ParseError::NotNames), "{text}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", file());
    assert!(shown.contains("Secret(..)") && shown.contains("c4ebd3f139f3a7f6"), "{shown}");
    assert!(!shown.contains("16, 17") && !shown.contains("48, 49"), "{shown}");
}

#[test]
fn a_secret_is_replaced_in_three_steps() {
    let mut file = file();
    let (old, digest) = (file.gossip_key(0), file.digest_key());
    file.add_secret([7; 32]).unwrap();
    assert_eq!(file.gossip_key(0), old, "the old one still seals");
    assert_eq!(file.drop_secret(0), Err(RingError::First));
    let new = file.gossip_key(1);
    file.promote(1).unwrap();
    assert_eq!((file.gossip_key(0), file.gossip_key(1)), (new, old));
    file.drop_secret(1).unwrap();
    assert_eq!(file.secrets().len(), 1);
    assert_ne!(file.digest_key(), digest, "so nodes keep the one of their cluster's birth");
    assert_eq!(file.add_secret([7; 32]), Err(RingError::Twice));
    assert_eq!(file.promote(1), Err(RingError::Absent { number: 2, count: 1 }));
    assert_eq!(file.drop_secret(0), Err(RingError::First));
}

#[test]
fn a_file_is_its_owners_and_is_replaced_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.kvs");
    let mut file = file();
    file.save_new(&path).unwrap();
    assert!(matches!(file.save_new(&path), Err(FileError::Exists(_))));
    file.add_secret([7; 32]).unwrap();
    file.save(&path).unwrap();
    assert_eq!(ClusterFile::load(&path).unwrap(), file);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_others_can_get_at_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.kvs");
    file().save_new(&path).unwrap();
    for (mode, fine) in [(0o640, true), (0o440, true), (0o604, false), (0o602, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = ClusterFile::load(&path);
        assert_eq!(loaded.is_ok(), fine, "{mode:o}");
        if let Err(error) = loaded {
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
}

#[test]
fn what_is_no_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.kvs");
    assert!(ClusterFile::load(&path).unwrap_err().to_string().contains("cluster.kvs"));
    std::fs::write(&path, "#".repeat((64 << 10) + 1)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(ClusterFile::load(&path), Err(FileError::Read { .. })));
    std::fs::write(&path, "#".repeat(64 << 10)).unwrap();
    assert!(matches!(ClusterFile::load(&path), Err(FileError::Wrong { .. })));
    assert!(matches!(file().save(&dir.path().join("no/file")), Err(FileError::Write { .. })));
}
