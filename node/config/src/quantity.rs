//! What durations and sizes share: a whole number followed by a unit, without a space.

use std::fmt;

/// What one kind of quantity is called and which units it may be written in.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) noun: &'static str,
    /// Names and factors, greatest first. The last one has the factor 1.
    pub(crate) units: &'static [(&'static str, u64)],
    /// The units as an error lists them.
    pub(crate) listed: &'static str,
    /// The unit to propose where someone wrote a bare number.
    pub(crate) bare: &'static str,
    pub(crate) example: &'static str,
    pub(crate) max: u64,
}

/// Why a text is not a duration or a size. The message begins with the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// A bare number: its unit would be a guess.
    #[error("{text} has no unit: write a whole number and {units}, such as {write}")]
    NoUnit {
        /// What was given.
        text: String,
        /// The units that exist.
        units: &'static str,
        /// The same number with the likeliest unit.
        write: String,
    },
    /// Neither number nor unit could be made out.
    #[error("{text} is not a {noun}: write a whole number and {units}, such as {example}")]
    Malformed {
        /// What was given.
        text: String,
        /// `duration` or `size`.
        noun: &'static str,
        /// The units that exist.
        units: &'static str,
        /// A text that would have been right.
        example: &'static str,
    },
    /// More than any setting or request may ask for.
    #[error("{text} is too much: a {noun} is at most {max}")]
    TooMuch {
        /// What was given.
        text: String,
        /// `duration` or `size`.
        noun: &'static str,
        /// The greatest quantity of this kind.
        max: String,
    },
}

impl Kind {
    /// Reads `text` as a count of the smallest unit.
    pub(crate) fn parse(&'static self, text: &str) -> Result<u64, QuantityError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(self.malformed(text));
        }
        let factor = self.factor(text, unit)?;
        // The digits are only digits, so a failure to parse them is a number too great for u64.
        let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        value.filter(|value| *value <= self.max).ok_or_else(|| self.too_much(text))
    }

    fn factor(&'static self, text: &str, unit: &str) -> Result<u64, QuantityError> {
        if unit.is_empty() {
            return Err(self.no_unit(text));
        }
        let known = self.units.iter().find(|(name, _)| *name == unit);
        known.map(|(_, factor)| *factor).ok_or_else(|| self.malformed(text))
    }

    /// Writes `value` in the greatest unit that divides it, so that no digit is lost.
    pub(crate) fn write(&self, value: u64, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
        match self.units.iter().find(fits) {
            Some((unit, factor)) => write!(out, "{}{unit}", value / factor),
            None => write!(out, "0{}", self.bare),
        }
    }

    fn no_unit(&self, text: &str) -> QuantityError {
        let write = format!("{text}{}", self.bare);
        QuantityError::NoUnit { text: text.to_owned(), units: self.listed, write }
    }

    fn malformed(&self, text: &str) -> QuantityError {
        let text = text.to_owned();
        let Self { noun, listed, example, .. } = *self;
        QuantityError::Malformed { text, noun, units: listed, example }
    }

    fn too_much(&'static self, text: &str) -> QuantityError {
        let max = Shown { kind: self, value: self.max }.to_string();
        QuantityError::TooMuch { text: text.to_owned(), noun: self.noun, max }
    }
}

struct Shown {
    kind: &'static Kind,
    value: u64,
}

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.write(self.value, out)
    }
}

/// Text form, serde and schema of a newtype over a count of its smallest unit.
macro_rules! quantity {
    ($name:ident, $kind:expr, $title:literal, $pattern:literal) => {
        impl std::str::FromStr for $name {
            type Err = $crate::quantity::QuantityError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $kind.parse(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $kind.write(self.0, out)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "title": $title, "pattern": $pattern })
            }
        }
    };
}

pub(crate) use quantity;
