//! Who may do what: accounts, tokens, scopes, modes, and every attempt to get round them.

mod accounts;
mod escalation;
mod harness;
mod matrix;
mod modes;
mod streams;
mod tokens;
