//! The transport as a whole: real sockets on loopback, both ends in one thread.

mod authority;
mod births;
mod bodies;
mod hostile;
mod outsiders;
mod rotation;
mod site;
mod streams;
