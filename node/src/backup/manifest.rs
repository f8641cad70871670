//! What a backup says of itself.

use kvs_core::{Format, Stamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;

use super::BackupName;

/// The format of backups that this build writes, and the newest it reads.
pub(super) const FORMAT: u64 = 1;

/// What a backup is, and the hashes that prove it whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format of the backup.
    pub format: u64,
    /// The backup's name.
    pub name: String,
    /// The version of the program that made it.
    pub program: String,
    /// When it was made, in Unix milliseconds.
    pub created: u64,
    /// The cluster that the node was of, if it was of any.
    pub cluster: Option<Uuid>,
    /// The node that made it.
    pub node: Uuid,
    /// That node's display name.
    pub node_name: String,
    /// The format of the store.
    pub store_format: u64,
    /// The node's clock: nothing in the backup is later.
    pub clock: Stamp,
    /// Up to where the node held everything that its cluster had.
    pub held: Stamp,
    /// Up to where the dead were forgotten.
    pub horizon: Stamp,
    /// The root of the digest tree.
    pub root: String,
    /// Records, deleted ones that are remembered included.
    pub records: u64,
    /// The file with the data.
    pub archive: Whole,
    /// The store's files, in the archive's order.
    pub files: Vec<FileEntry>,
}

/// A file's length and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Bytes.
    pub size: u64,
    /// BLAKE3, in hexadecimal digits.
    pub blake3: String,
}

/// One of the store's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name within the store's directory.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, in hexadecimal digits.
    pub blake3: String,
}

/// The manifest as a file: its own hash beside it, so that a flipped byte shows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    blake3: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

/// All that is known of a manifest of an unknown format.
#[derive(Deserialize)]
struct FormatOnly {
    format: u64,
}

/// Why a manifest is not believed.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is not what a node wrote.
    #[error("its manifest is damaged: {0}")]
    Damaged(String),
    /// A newer release wrote it.
    #[error(
        "it has backup format {found}, and this program reads up to {FORMAT}; use the release that \
         made it, or a later one"
    )]
    Newer {
        /// Its format.
        found: u64,
    },
    /// The store in it is of a newer release.
    #[error(
        "it has store format {found}, and this program reads up to {}; use the release \
         that made it, or a later one",
        Format::NEWEST.number()
    )]
    NewerStore {
        /// The store's format.
        found: u64,
    },
    /// It is another one's.
    #[error("its manifest is that of {0}")]
    OtherName(String),
}

impl Manifest {
    /// The bytes of its file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let text = serde_json::to_string_pretty(self)?;
        let blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
        let manifest = RawValue::from_string(text)?;
        serde_json::to_vec(&Sealed { blake3, manifest: &manifest })
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    ///
    /// It is damaged, too new, or another backup's.
    pub fn read(name: &BackupName, bytes: &[u8]) -> Result<Self, ManifestError> {
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        let sealed: Sealed<'_> = serde_json::from_slice(bytes).map_err(damaged)?;
        let text = sealed.manifest.get();
        if blake3::hash(text.as_bytes()).to_hex().as_str() != sealed.blake3 {
            return Err(ManifestError::Damaged("its hash does not fit what it says".into()));
        }
        let FormatOnly { format: found } = serde_json::from_str(text).map_err(damaged)?;
        if found > FORMAT {
            return Err(ManifestError::Newer { found });
        }
        let manifest: Self = serde_json::from_str(text).map_err(damaged)?;
        manifest.check(name)?;
        Ok(manifest)
    }

    fn check(&self, name: &BackupName) -> Result<(), ManifestError> {
        if self.store_format > Format::NEWEST.number().into() {
            return Err(ManifestError::NewerStore { found: self.store_format });
        }
        if self.name != name.as_str() {
            return Err(ManifestError::OtherName(self.name.clone()));
        }
        match self.files.iter().find(|file| !is_plain(&file.name)) {
            Some(file) => Err(ManifestError::Damaged(format!("{:?} is no file name", file.name))),
            None => Ok(()),
        }
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }
}

/// Whether it is a name as RocksDB gives them, which leads nowhere else.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::backup) fn manifest() -> Manifest {
        let whole = |size| Whole { size, blake3: "00".repeat(32) };
        let file = FileEntry { name: "CURRENT".into(), size: 7, blake3: "11".repeat(32) };
        Manifest {
            format: FORMAT,
            name: "kvs-0123456789ab-20231114T221320123Z".into(),
            program: "0.1.0".into(),
            created: 1_700_000_000_123,
            cluster: Some(Uuid::from_u128(5)),
            node: Uuid::from_u128(6),
            node_name: "node".into(),
            store_format: 1,
            clock: Stamp::from_bits(9),
            held: Stamp::from_bits(8),
            horizon: Stamp::from_bits(7),
            root: "00".into(),
            records: 3,
            archive: whole(99),
            files: vec![file],
        }
    }

    fn read(manifest: &Manifest) -> Result<Manifest, ManifestError> {
        let name = BackupName::parse("kvs-0123456789ab-20231114T221320123Z").unwrap();
        Manifest::read(&name, &manifest.to_bytes().unwrap())
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        assert_eq!(read(&manifest()).unwrap(), manifest());
    }

    #[test]
    fn any_flipped_byte_and_any_cut_is_noticed() {
        let name = BackupName::parse(&manifest().name).unwrap();
        let bytes = manifest().to_bytes().unwrap();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut wrong = bytes.clone();
                wrong[at] ^= flip;
                assert!(Manifest::read(&name, &wrong).is_err(), "byte {at} ^ {flip}");
            }
            assert!(Manifest::read(&name, &bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_backup_or_store_is_refused_with_both_numbers() {
        let newer = Manifest { format: FORMAT + 1, ..manifest() };
        let said = read(&newer).unwrap_err().to_string();
        assert!(said.contains("format 2") && said.contains("up to 1"), "{said}");
        let newer = Manifest { store_format: 9, ..manifest() };
        let said = read(&newer).unwrap_err().to_string();
        assert!(said.contains("store format 9") && said.contains("up to 2"), "{said}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let name = |name: &str| {
            let mut wrong = manifest();
            name.clone_into(&mut wrong.files[0].name);
            read(&wrong)
        };
        for wrong in
            ["", "../x", "/etc/passwd", "a/b", ".", "..", ".hidden", "a\0", &"a".repeat(65)]
        {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
        assert!(name(&"a".repeat(64)).is_ok());
        let other = Manifest { name: "kvs-other".into(), ..manifest() };
        assert!(matches!(read(&other), Err(ManifestError::OtherName(_))));
    }
}
