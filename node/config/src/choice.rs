//! Settings that are one word of a few.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Reason,
    value::{Bounds, Raw, Setting},
};

/// An enum whose words are listed once, for reading, writing, the schema and errors alike.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $name:ident { $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[schemars(inline)]
        pub enum $name {
            $( $(#[doc = $word_doc])+ #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            /// The word as it is written in a configuration.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl Setting for $name {
            type Bound = u64;
            const CHOICES: &'static [&'static str] = &[$( $word ),+];

            fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
                match raw.text()? {
                    $( $word => Ok(Self::$variant), )+
                    other => Err(Reason::not_a_choice(other, Self::CHOICES)),
                }
            }

            fn raw(&self) -> Raw {
                Raw::shown(self)
            }
        }
    };
}

choice! {
    /// Where a client's certificate has the name of its user.
    ClientName {
        /// The common name of its subject.
        CommonName = "common_name",
        /// The e-mail address among its alternative names.
        Email = "email",
        /// The DNS name among its alternative names.
        Dns = "dns",
    }
}

choice! {
    /// When a write is acknowledged.
    Durability {
        /// After the write-ahead log is on disk.
        Sync = "sync",
        /// Before the flush, which follows within `flush_interval`.
        Async = "async",
    }
}

choice! {
    /// The least severe events that are logged.
    LogLevel {
        /// Only what failed.
        Error = "error",
        /// And what may fail soon.
        Warn = "warn",
        /// And what an operator wants to know.
        Info = "info",
        /// And what explains a decision.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
}

choice! {
    /// What a line of the log looks like.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line, for collectors.
        Json = "json",
    }
}
