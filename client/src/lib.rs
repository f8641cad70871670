//! The public HTTP API of KVS: its types and a typed client.
//!
//! [`types`] holds every JSON body that the key routes and the health routes take or answer. The
//! node serialises these same types, so the two sides cannot drift apart.

#![warn(missing_docs)]

pub mod types;
