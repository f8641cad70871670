//! Reads the configuration: its file, the environment, and the machine's name.
//!
//! Only this file reads the environment; what the settings mean is in `kvs_config`.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kvs_config::{BackupTarget, ConfigError, Effective, Files, Origin, Settings};
use thiserror::Error;

/// The configuration that is read, and written if it is not there, when none is named.
pub const DEFAULT_FILE: &str = "config.yaml";

/// The cluster file in a data directory, which counts where the settings name no other.
pub(crate) const CLUSTER_FILE: &str = "cluster.kvs";

/// What the names of variables begin with that are settings.
const SETTINGS: &str = "KVS__";

/// What the program wants to know of its environment, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `HOME`: what `kvs start` remembers lies below it.
    pub home: Option<PathBuf>,
    /// `KVS_SERVER`: where client commands find their node.
    pub server: Option<String>,
    /// `KVS_TOKEN`: what client commands show it.
    pub token: Option<String>,
    /// `KVS_CA`: the certificates by which client commands trust it.
    pub ca: Option<PathBuf>,
    /// `KVS_CERT`: the certificate, with its key, that client commands show it.
    pub cert: Option<PathBuf>,
    /// The variables that may be settings.
    variables: Vec<(String, String)>,
}

impl Environment {
    /// Reads the environment of this process. What is not Unicode is read as near to it as can be.
    pub fn read() -> Self {
        let named = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Self {
            home: std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
            server: named("KVS_SERVER"),
            token: named("KVS_TOKEN"),
            ca: named("KVS_CA").map(PathBuf::from),
            cert: named("KVS_CERT").map(PathBuf::from),
            variables: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .filter(|(name, _)| name.starts_with(SETTINGS))
                .collect(),
        }
    }
}

/// What other programs that use S3 read from the environment, too.
#[derive(Clone, Default)]
pub struct S3Variables {
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<String>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
}

impl S3Variables {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let named = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        Self {
            endpoint: named("AWS_ENDPOINT_URL_S3").or_else(|| named("AWS_ENDPOINT_URL")),
            region: named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")),
            access_key_id: named("AWS_ACCESS_KEY_ID"),
            secret_access_key: named("AWS_SECRET_ACCESS_KEY"),
            session_token: named("AWS_SESSION_TOKEN"),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for S3Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, region, .. } = self;
        write!(f, "S3Variables({endpoint:?}, {region:?})")
    }
}

/// Why there is no configuration. Nothing was started.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file that was named is not there.
    #[error(
        "there is no configuration {path}; `kvs config default > {path}` writes one",
        path = .0.display()
    )]
    Absent(PathBuf),
    /// The file is there and cannot be read.
    #[error("cannot read the configuration {path}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The default file cannot be written.
    #[error("cannot write a default configuration to {path}", path = .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it says, or what the environment or a flag says, is wrong.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
}

/// A configuration file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was not there and was written with the defaults.
    pub written: bool,
}

/// Finds the configuration that `named` means; its `.yaml` may be left out. Without a name, or
/// with the name [`DEFAULT_FILE`], one is written to the current folder if there is none.
///
/// # Errors
///
/// There is none, or it cannot be written.
pub fn find(named: Option<&Path>) -> Result<Found, LoadError> {
    let named = named.unwrap_or(Path::new(DEFAULT_FILE));
    if let Some(path) = existing(named) {
        return Ok(Found { path, written: false });
    }
    if named != Path::new(DEFAULT_FILE) {
        return Err(LoadError::Absent(named.to_owned()));
    }
    write_default(named)
        .map_err(|source| LoadError::Unwritable { path: named.to_owned(), source })?;
    Ok(Found { path: named.to_owned(), written: true })
}

/// The file that `named` means, if it is there.
pub fn existing(named: &Path) -> Option<PathBuf> {
    let with = |extension: &str| {
        let mut name = named.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    [named.to_owned(), with(".yaml"), with(".yml")].into_iter().find(|path| path.is_file())
}

fn write_default(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(kvs_config::default_file().as_bytes())
}

/// Where a node's cluster file is, or would be.
pub fn cluster_file(settings: &Settings) -> PathBuf {
    let own = || own_cluster_file(&settings.data_dir);
    settings.cluster_file.clone().unwrap_or_else(own)
}

/// Where the cluster file is in a data directory.
pub fn own_cluster_file(data_dir: &Path) -> PathBuf {
    data_dir.join(CLUSTER_FILE)
}

/// Where settings come from, kept to read them again.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// A second file with settings that change while the node runs. It need not be there.
    pub live: Option<PathBuf>,
    /// The variables of the environment.
    pub environment: Environment,
    /// Settings given on the command line: names and values.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// Reads the settings that are now in force.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or something in it, in the environment or in a flag is wrong.
    pub fn load(&self) -> Result<Effective, LoadError> {
        let text = self.file.as_deref().map(read).transpose()?;
        let live = self.live.as_deref().map(read_if_there).transpose()?.flatten();
        let files = Files {
            main: self.file.as_deref().zip(text.as_deref()),
            live: self.live.as_deref().zip(live.as_deref()),
        };
        let variables = self.environment.variables.iter().cloned();
        let mut effective = kvs_config::load(files, variables, self.flags.iter().cloned())?;
        self.settle_paths(&mut effective);
        effective.settings.node_id.get_or_insert_with(host_name);
        Ok(effective)
    }

    /// A relative path in a file is taken from that file's folder, so that the node finds its
    /// data wherever it is started from; one in a variable or flag is taken from the current one.
    fn settle_paths(&self, effective: &mut Effective) {
        let mut settings = effective.settings.clone();
        settings.data_dir = self.settled(effective, "data_dir", &settings.data_dir);
        let tls = &mut settings.peer_tls;
        for (name, path) in [
            ("cluster_file", &mut settings.cluster_file),
            ("tls.cert_file", &mut settings.tls.cert_file),
            ("tls.key_file", &mut settings.tls.key_file),
            ("tls.client_ca_file", &mut settings.tls.client_ca_file),
            ("tls.client_crl_file", &mut settings.tls.client_crl_file),
            ("peer_tls.ca_file", &mut tls.ca_file),
            ("peer_tls.cert_file", &mut tls.cert_file),
            ("peer_tls.key_file", &mut tls.key_file),
        ] {
            *path = path.take().map(|path| self.settled(effective, name, &path));
        }
        for issuer in &mut settings.oidc {
            let ca = issuer.ca_file.take();
            issuer.ca_file = ca.map(|path| self.settled(effective, "oidc", &path));
        }
        for (name, path) in [
            ("kubernetes.ca_file", &mut settings.kubernetes.ca_file),
            ("kubernetes.token_file", &mut settings.kubernetes.token_file),
        ] {
            *path = self.settled(effective, name, path);
        }
        let secret = &mut settings.backup_s3.secret_access_key_file;
        let name = "backup_s3.secret_access_key_file";
        *secret = secret.take().map(|path| self.settled(effective, name, &path));
        if let Some(Ok(BackupTarget::Folder(path))) =
            settings.backup_target.as_deref().map(str::parse)
        {
            let settled = self.settled(effective, "backup_target", &path);
            settings.backup_target = Some(settled.to_string_lossy().into_owned());
        }
        effective.settings = settings;
    }

    fn settled(&self, effective: &Effective, name: &str, given: &Path) -> PathBuf {
        let beside_file = match effective.origin(name) {
            Origin::Environment(_) | Origin::Flag(_) => None,
            Origin::Default | Origin::File { .. } => self.file.as_deref().and_then(Path::parent),
        };
        let path = beside_file.map_or_else(|| given.to_owned(), |folder| folder.join(given));
        // It fails only where the current folder is gone; then the path as it is must do.
        std::path::absolute(&path).unwrap_or(path)
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path)
        .map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })
}

fn read_if_there(path: &Path) -> Result<Option<String>, LoadError> {
    match read(path) {
        Err(LoadError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        text => text.map(Some),
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &Path) -> Sources {
        Sources { file: Some(file.to_owned()), ..Sources::default() }
    }

    #[test]
    fn a_relative_data_dir_is_beside_the_file_and_one_in_a_flag_is_here() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("node.yaml");
        std::fs::write(&file, "data_dir: ./here\n").unwrap();
        let mut sources = sources(&file);
        assert_eq!(sources.load().unwrap().settings.data_dir, dir.path().join("here"));
        sources.flags.push(("data-dir".into(), "there".into()));
        let current = std::env::current_dir().unwrap();
        assert_eq!(sources.load().unwrap().settings.data_dir, current.join("there"));
    }

    #[test]
    fn the_host_name_stands_in_for_a_node_id() {
        let settings = Sources::default().load().unwrap().settings;
        assert!(settings.node_id.is_some_and(|name| !name.is_empty()));
    }

    #[test]
    fn yaml_may_be_left_out_and_an_absent_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("node1.yaml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(find(Some(&dir.path().join("node1"))).unwrap().path, file);
        let error = find(Some(&dir.path().join("node2"))).unwrap_err().to_string();
        assert!(error.contains("node2"), "{error}");
    }
}
