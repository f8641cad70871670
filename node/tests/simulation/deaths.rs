//! What becomes of the dead.
