//! The file's text: YAML that a person can read, and that says what it is.

use serde_json::{Map, Value};
use serde_saphyr::DuplicateKeyPolicy;

use super::secret::{self, Secret, SigningKey};
use super::{CLUSTER_FILE_FORMAT, ClusterFile, MAX_SECRETS};

/// Longest name of a signing key.
const KEY_ID_MAX: usize = 64;

/// Why a text is not a cluster file. No message repeats what may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is not YAML, or has a name twice.
    #[error("line {line} cannot be read: wanted is YAML, one `name: value` a line, no name twice")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
    },
    /// It is YAML, but no mapping of names.
    #[error("this is not a cluster file; `kvs cluster new` makes one")]
    NotNames,
    /// A later release wrote it.
    #[error(
        "its format is {found}, and this build reads formats up to {CLUSTER_FILE_FORMAT}; use a newer release"
    )]
    Newer {
        /// The format of the file.
        found: u64,
    },
    /// A name that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A name that this format does not have.
    #[error("there is no field {0} in a cluster file")]
    Unknown(String),
    /// A field has the wrong content.
    #[error("{field} {reason}")]
    Field {
        /// Its name.
        field: String,
        /// What is wrong with it and what is allowed.
        reason: String,
    },
}

impl ClusterFile {
    /// Reads the text of a cluster file.
    ///
    /// # Errors
    ///
    /// The text is none, is of a newer format, or a field of it is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut fields = Fields::of(text)?;
        check_format(&fields.take("format")?)?;
        let cluster = fields.text("cluster")?;
        let cluster = cluster.parse().map_err(|_why| wrong("cluster", "is not a UUID"))?;
        let secrets = read_secrets(fields.take("secrets")?)?;
        let signing_key = read_signing_key(fields.take("signing_key")?)?;
        fields.end()?;
        Ok(Self { cluster, secrets, signing_key })
    }

    /// The file's text, which [`Self::parse`] reads.
    pub fn to_text(&self) -> String {
        let line = |secret: &Secret| format!("- \"{}\"\n", secret::encode(secret.bytes()));
        let secrets: String = self.secrets.iter().map(line).collect();
        format!(
            "\
# The secret of a KVS cluster. Whoever has this file can read and change all that the cluster
# stores: give it to the cluster's nodes and to nobody else, with mode 0600.
format: {CLUSTER_FILE_FORMAT}
cluster: {cluster}
# The first secret seals, all of them open. `kvs cluster rotate` replaces one without an outage.
secrets:
{secrets}# The first key that signs tokens.
signing_key:
  id: \"{id}\"
  seed: \"{seed}\"
",
            cluster = self.cluster,
            id = self.signing_key.id(),
            seed = secret::encode(self.signing_key.seed()),
        )
    }
}

fn check_format(format: &Value) -> Result<(), ParseError> {
    match format.as_u64() {
        Some(CLUSTER_FILE_FORMAT) => Ok(()),
        Some(found) if found > CLUSTER_FILE_FORMAT => Err(ParseError::Newer { found }),
        _ => Err(wrong("format", &format!("must be {CLUSTER_FILE_FORMAT}"))),
    }
}

fn read_secrets(list: Value) -> Result<Vec<Secret>, ParseError> {
    let Value::Array(list) = list else {
        return Err(wrong("secrets", "must be a list, one secret a line after a dash"));
    };
    if !(1..=MAX_SECRETS).contains(&list.len()) {
        let reason = format!("has {} entries; 1 to {MAX_SECRETS} are allowed", list.len());
        return Err(wrong("secrets", &reason));
    }
    let mut secrets = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        let name = format!("secret {}", at + 1);
        let secret = Secret::new(read_bytes(&name, &value)?);
        if secrets.contains(&secret) {
            return Err(wrong(&name, "is there twice"));
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

fn read_signing_key(value: Value) -> Result<SigningKey, ParseError> {
    let Value::Object(map) = value else {
        return Err(wrong("signing_key", "must have an id and a seed below it"));
    };
    let mut fields = Fields { map, group: "signing_key." };
    let id = fields.text("id")?;
    let seed = read_bytes("signing_key.seed", &fields.take("seed")?)?;
    fields.end()?;
    let fine =
        (1..=KEY_ID_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !fine {
        let reason = format!("must be 1 to {KEY_ID_MAX} letters and digits");
        return Err(wrong("signing_key.id", &reason));
    }
    Ok(SigningKey::named(id, seed))
}

fn read_bytes(name: &str, value: &Value) -> Result<[u8; 32], ParseError> {
    let text = value.as_str().ok_or_else(|| wrong(name, "must be a text of base64, in quotes"))?;
    secret::decode(text).map_err(|reason| wrong(name, &reason))
}

fn wrong(field: &str, reason: &str) -> ParseError {
    ParseError::Field { field: field.to_owned(), reason: reason.to_owned() }
}

/// Named values, to be taken one by one until none is left.
struct Fields {
    map: Map<String, Value>,
    /// What the names are below, with a dot.
    group: &'static str,
}

impl Fields {
    fn of(text: &str) -> Result<Self, ParseError> {
        // Snippets would show secrets, and so may the parser's own words.
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::Error,
            with_snippet: false,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_saphyr::from_str_with_options(text, options) {
            Ok(Value::Object(map)) => Ok(Self { map, group: "" }),
            Ok(_) => Err(ParseError::NotNames),
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                Err(ParseError::Malformed { line })
            }
        }
    }

    fn take(&mut self, name: &'static str) -> Result<Value, ParseError> {
        self.map.remove(name).ok_or(ParseError::Missing(name))
    }

    fn text(&mut self, name: &'static str) -> Result<String, ParseError> {
        match self.take(name)? {
            Value::String(text) => Ok(text),
            _ => Err(wrong(&format!("{}{name}", self.group), "must be a text, in quotes")),
        }
    }

    fn end(self) -> Result<(), ParseError> {
        match self.map.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(ParseError::Unknown(format!("{}{name}", self.group))),
        }
    }
}
