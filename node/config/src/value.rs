//! How one setting is read from text and written back, whatever layer it comes from.

use std::{fmt::Display, net::IpAddr, path::PathBuf};

use crate::{duration::Duration, error::Reason, size::Size};

/// A value as a file, the environment or a flag gives it, before its type is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Nothing after the colon, `null`, or an empty environment variable.
    Nothing,
    Text(String),
    List(Vec<String>),
    /// A list of mappings from names to texts.
    Rows(Vec<Vec<(String, String)>>),
    /// A mapping where one value was wanted.
    Map,
}

impl Raw {
    pub(crate) fn shown(value: &impl Display) -> Self {
        Self::Text(value.to_string())
    }

    /// The one value that it is, or why it is not one.
    pub(crate) fn text(&self) -> Result<&str, Reason> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Nothing => Err(Reason::NoValue),
            Self::List(_) | Self::Rows(_) | Self::Map => Err(Reason::NotOneValue),
        }
    }

    /// As it would be written in a file.
    pub(crate) fn to_yaml(&self) -> String {
        match self {
            Self::Nothing | Self::Map => String::new(),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Rows(rows) => {
                let rows: Vec<_> = rows.iter().map(|row| flow(row)).collect();
                format!("[{}]", rows.join(", "))
            }
        }
    }
}

/// A mapping on one line. JSON is YAML.
fn flow(row: &[(String, String)]) -> String {
    let member = |(name, text): &(String, String)| {
        format!("{name}: {}", serde_json::Value::from(text.as_str()))
    };
    format!("{{{}}}", row.iter().map(member).collect::<Vec<_>>().join(", "))
}

/// Quotes what YAML could take for something else. JSON strings are YAML strings.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:-".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.');
    if begins && text.chars().all(plain) && !text.ends_with(':') {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// Which values of a type a setting allows, both ends included.
#[derive(Clone, Debug)]
pub(crate) enum Bounds<B: 'static> {
    Any,
    Between(B, B),
    OneOf(&'static [B]),
}

/// Shorthand for the table of settings.
pub(crate) const fn between<B: Copy>(least: B, most: B) -> Bounds<B> {
    Bounds::Between(least, most)
}

/// Shorthand for the table of settings.
pub(crate) const fn one_of<B>(allowed: &'static [B]) -> Bounds<B> {
    Bounds::OneOf(allowed)
}

impl<B: PartialOrd + Display> Bounds<B> {
    fn check(&self, value: &B) -> Result<(), Reason> {
        let allowed = match self {
            Self::Any => true,
            Self::Between(least, most) => least <= value && value <= most,
            Self::OneOf(allowed) => allowed.contains(value),
        };
        if allowed { Ok(()) } else { Err(self.refuse(value)) }
    }

    fn refuse(&self, value: &impl Display) -> Reason {
        let allowed = self.describe().unwrap_or_default();
        Reason::OutOfRange { value: value.to_string(), allowed, optional: false }
    }

    /// `1 to 65535`, `65536 or 1048576`, or nothing where all is allowed.
    pub(crate) fn describe(&self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Between(least, most) => Some(format!("{least} to {most}")),
            Self::OneOf(allowed) => {
                let words: Vec<_> = allowed.iter().map(ToString::to_string).collect();
                Some(words.join(" or "))
            }
        }
    }
}

/// A type that a setting may have.
pub(crate) trait Setting: Sized {
    /// What ranges are given in.
    type Bound: PartialOrd + Display;

    /// The words that may be written, where they are few.
    const CHOICES: &'static [&'static str] = &[];

    fn read(raw: &Raw, bounds: &Bounds<Self::Bound>) -> Result<Self, Reason>;

    fn raw(&self) -> Raw;
}

/// Quantities know their own text; the text of an error is theirs too.
macro_rules! quantity_setting {
    ($($type:ty),+) => { $(
        impl Setting for $type {
            type Bound = Self;

            fn read(raw: &Raw, bounds: &Bounds<Self>) -> Result<Self, Reason> {
                let value = raw.text()?.parse()?;
                bounds.check(&value)?;
                Ok(value)
            }

            fn raw(&self) -> Raw {
                Raw::shown(self)
            }
        }
    )+ };
}

quantity_setting!(Duration, Size);

/// Ranges are checked before the number is narrowed, so that 70000 is out of a port's range
/// and not "not a number".
macro_rules! number_setting {
    ($($type:ty),+) => { $(
        impl Setting for $type {
            type Bound = u64;

            fn read(raw: &Raw, bounds: &Bounds<u64>) -> Result<Self, Reason> {
                let text = raw.text()?;
                let number = whole_number(text, bounds)?;
                bounds.check(&number)?;
                Self::try_from(number).ok().ok_or_else(|| bounds.refuse(&text))
            }

            fn raw(&self) -> Raw {
                Raw::shown(self)
            }
        }
    )+ };
}

number_setting!(u16, u32, i32, usize);

fn whole_number(text: &str, bounds: &Bounds<u64>) -> Result<u64, Reason> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(Reason::not_a("whole number", text, bounds.describe()));
    }
    text.parse().ok().ok_or_else(|| bounds.refuse(&text))
}

impl Setting for bool {
    type Bound = u64;
    fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
        match raw.text()? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(Reason::not_a_choice(other, &["true", "false"])),
        }
    }

    fn raw(&self) -> Raw {
        Raw::shown(self)
    }
}

impl Setting for IpAddr {
    type Bound = u64;

    fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
        let text = raw.text()?;
        let example = || Some("such as 127.0.0.1, 0.0.0.0 or ::".to_owned());
        text.parse().ok().ok_or_else(|| Reason::not_a("numeric IP address", text, example()))
    }

    fn raw(&self) -> Raw {
        Raw::shown(self)
    }
}

impl Setting for String {
    type Bound = u64;

    fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
        raw.text().map(str::to_owned)
    }

    fn raw(&self) -> Raw {
        Raw::Text(self.clone())
    }
}

impl Setting for PathBuf {
    type Bound = u64;

    fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
        raw.text().map(Self::from)
    }

    fn raw(&self) -> Raw {
        Raw::shown(&self.display())
    }
}

impl<T: Setting> Setting for Option<T> {
    type Bound = T::Bound;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn read(raw: &Raw, bounds: &Bounds<T::Bound>) -> Result<Self, Reason> {
        match raw {
            Raw::Nothing => Ok(None),
            some => T::read(some, bounds).map(Some).map_err(Reason::or_none),
        }
    }

    fn raw(&self) -> Raw {
        self.as_ref().map_or(Raw::Nothing, T::raw)
    }
}

/// One text is a list separated by commas, for the environment and flags.
impl Setting for Vec<String> {
    type Bound = u64;

    fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
        match raw {
            Raw::Nothing => Ok(Self::new()),
            Raw::List(items) => Ok(items.clone()),
            Raw::Text(text) => Ok(text.split(',').map(|item| item.trim().to_owned()).collect()),
            Raw::Rows(_) | Raw::Map => Err(Reason::NotAList),
        }
    }

    fn raw(&self) -> Raw {
        Raw::List(self.clone())
    }
}
