//! The 12 permission bits of a key: owner, group, others; each create, delete, write, read.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Twelve permission bits, high to low: owner `cdwr`, group `cdwr`, others `cdwr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode(u16);

/// One of the four things that a class may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Make a key that is not there.
    Create,
    /// Delete a key, or shorten its life.
    Delete,
    /// Change a key.
    Write,
    /// See a key.
    Read,
}

/// Whom a group of four bits is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The key's owner.
    Owner,
    /// Members of the key's group.
    Group,
    /// Everybody else.
    Others,
}

/// Why a text or number is not a mode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModeError {
    /// More bits than there are.
    #[error("mode {0} is out of range; it has 12 bits: 0 to 4095 (0xFFF)")]
    OutOfRange(u64),
    /// Not twelve characters of `cdwr` and `-` in their places.
    #[error(
        "mode {0:?} is malformed; it is twelve characters, `cdwr` three times (owner, group, \
         others) with `-` for what is not allowed, for example cdwr--wr---r"
    )]
    Malformed(String),
}

const LETTERS: [u8; 4] = *b"cdwr";

impl Mode {
    /// `cdwr--wr---r`: what governs where nothing else was set.
    pub const DEFAULT: Self = Self(0xF31);

    /// The mode with these bits.
    ///
    /// # Errors
    ///
    /// More than 12 bits.
    pub fn from_bits(bits: u64) -> Result<Self, ModeError> {
        match u16::try_from(bits) {
            Ok(bits) if bits <= 0xFFF => Ok(Self(bits)),
            _ => Err(ModeError::OutOfRange(bits)),
        }
    }

    /// The bits as a number, 0 to 4095.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether `class` has `permission`.
    pub const fn allows(self, class: Class, permission: Permission) -> bool {
        let shift = match class {
            Class::Owner => 8,
            Class::Group => 4,
            Class::Others => 0,
        };
        let bit = match permission {
            Permission::Create => 3,
            Permission::Delete => 2,
            Permission::Write => 1,
            Permission::Read => 0,
        };
        self.0 >> (shift + bit) & 1 == 1
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in LETTERS.iter().cycle().take(12).enumerate() {
            let set = self.0 >> (11 - index) & 1 == 1;
            write!(f, "{}", if set { char::from(*letter) } else { '-' })?;
        }
        Ok(())
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ModeError::Malformed(text.to_owned());
        if text.len() != 12 {
            return Err(malformed());
        }
        let mut bits = 0;
        for (byte, letter) in text.bytes().zip(LETTERS.iter().cycle()) {
            bits = bits << 1 | u16::from(byte == *letter);
            if byte != *letter && byte != b'-' {
                return Err(malformed());
            }
        }
        Ok(Self(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_reads_as_documented() {
        assert_eq!(Mode::DEFAULT.to_string(), "cdwr--wr---r");
        assert_eq!("cdwr--wr---r".parse(), Ok(Mode::DEFAULT));
    }

    #[test]
    fn every_mode_survives_its_text() {
        for bits in 0..=0xFFF {
            let mode = Mode::from_bits(bits).unwrap();
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
    }

    #[test]
    fn one_bit_over_and_misplaced_letters_are_refused() {
        assert_eq!(Mode::from_bits(0x1000), Err(ModeError::OutOfRange(0x1000)));
        for text in ["", "cdwr--wr---", "cdwr--wr---rr", "rwdc--wr---r", "cdwr--wr---x", "éééééé"]
        {
            assert_eq!(text.parse::<Mode>(), Err(ModeError::Malformed(text.to_owned())));
        }
    }

    #[test]
    fn each_bit_belongs_to_one_class_and_permission() {
        use Class::{Group, Others, Owner};
        use Permission::{Create, Delete, Read, Write};
        let table = [Owner, Group, Others]
            .into_iter()
            .flat_map(|class| [Create, Delete, Write, Read].map(|permission| (class, permission)));
        for (index, (class, permission)) in table.enumerate() {
            let only = Mode::from_bits(1 << (11 - index)).unwrap();
            assert!(only.allows(class, permission));
            let rest = Mode::from_bits(u64::from(!only.bits() & 0xFFF)).unwrap();
            assert!(!rest.allows(class, permission));
        }
    }
}
