//! Who may do what: accounts, tokens, scopes, modes, and every attempt to get round them.

mod accounts;
mod audit;
mod escalation;
mod harness;
mod identities;
mod issuer;
mod kubernetes;
mod matrix;
mod modes;
mod rates;
mod streams;
mod tokens;
