//! Where backups go.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

/// A place for backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupTarget {
    /// A folder.
    Folder(PathBuf),
    /// What begins with a prefix in a bucket of S3.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The prefix, without slashes around it; empty for the whole bucket.
        prefix: String,
    },
}

/// Why a text names no place for backups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither.
    #[error("write s3://bucket/prefix, or a folder")]
    Form,
    /// Not the name of a bucket.
    #[error("a bucket has 3 to 63 lower-case letters, digits, dots and hyphens")]
    Bucket,
    /// Not a prefix.
    #[error("a prefix has no empty parts, no . and .., and no control characters")]
    Prefix,
    /// The address of the server.
    #[error("it must be https://host, or http://host on this machine, without a path")]
    Endpoint,
}

impl FromStr for BackupTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let Some(place) = text.strip_prefix("s3://") else {
            let folder = !text.is_empty() && !text.starts_with("s3:") && !text.contains("://");
            return if folder { Ok(Self::Folder(text.into())) } else { Err(TargetError::Form) };
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        check_bucket(bucket)?;
        check_prefix(prefix)?;
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

fn check_bucket(bucket: &str) -> Result<(), TargetError> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let fine = (3..=63).contains(&bucket.len()) && bucket.bytes().all(allowed);
    if fine { Ok(()) } else { Err(TargetError::Bucket) }
}

fn check_prefix(prefix: &str) -> Result<(), TargetError> {
    let wrong = |part: &str| ["", ".", ".."].contains(&part) || part.contains(char::is_control);
    if !prefix.is_empty() && prefix.split('/').any(wrong) {
        return Err(TargetError::Prefix);
    }
    Ok(())
}

/// As it is written in a configuration.
impl fmt::Display for BackupTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(out, "{}", path.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(out, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(out, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Whether backups may be sent to a server at this address: over TLS, or within this machine.
///
/// # Errors
///
/// They may not, or it is no address.
pub fn check_endpoint(text: &str) -> Result<(), TargetError> {
    let (tls, host) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => (true, host),
        (None, Some(host)) => (false, host),
        (None, None) => return Err(TargetError::Endpoint),
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
    let fine = !host.is_empty() && host.chars().all(allowed) && (tls || is_local(host));
    if fine { Ok(()) } else { Err(TargetError::Endpoint) }
}

/// Whether a host, with or without a port, is this machine.
fn is_local(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_folder_or_a_bucket_with_a_prefix() {
        for text in ["backups", "/var/backups", "s3://abc", "s3://a.b-1/x/y"] {
            assert_eq!(text.parse::<BackupTarget>().unwrap().to_string(), text);
        }
        assert_eq!("s3://abc/x/".parse::<BackupTarget>().unwrap().to_string(), "s3://abc/x");
        let long = format!("s3://{}", "a".repeat(63));
        assert!(long.parse::<BackupTarget>().is_ok());
        for text in [
            "",
            "s3:abc",
            "s3://",
            "s3://ab",
            "s3://ABC",
            "s3://abc//x",
            "s3://abc/../x",
            "gs://abc",
            "s3://abc/\n",
            &format!("{long}a"),
        ] {
            assert!(text.parse::<BackupTarget>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_is_reached_over_tls_or_on_this_machine() {
        for text in [
            "https://s3.example.org",
            "https://10.0.0.1:9000/",
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://[::1]:80",
        ] {
            assert_eq!(check_endpoint(text), Ok(()), "{text}");
        }
        for text in [
            "http://s3.example.org",
            "http://10.0.0.1",
            "s3.example.org",
            "https://",
            "ftp://a",
            "http://localhost@evil.example",
            "https://a/b",
            "http://127.0.0.1.evil.example",
        ] {
            assert_eq!(check_endpoint(text), Err(TargetError::Endpoint), "{text}");
        }
    }
}
