//! What the node's mode lets clients do.

use kvs_core::engine::Life;

use super::{Access, Problem, Route};
use crate::node::Node;

/// Whether the node may now do what the route does with keys and accounts. One that has not caught up with its
/// cluster answers only where it is told to.
///
/// # Errors
///
/// Why not.
pub(super) fn check(node: &Node, route: &Route) -> Result<(), Problem> {
    if matches!(route.access, Access::Accounts(_)) {
        return if route.changes() { check_write(node) } else { Ok(()) };
    }
    if !route.is_of_keys() {
        return Ok(());
    }
    if !node.has_caught_up() && !node.settings().serve_while_syncing {
        return Err(Problem::Syncing);
    }
    if route.changes() { check_write(node) } else { Ok(()) }
}

/// Whether clients may write now.
///
/// # Errors
///
/// Why not.
pub(super) fn check_write(node: &Node) -> Result<(), Problem> {
    if let Some(departure) = node.duty().departure() {
        return Err(Problem::Departing(departure));
    }
    if node.is_read_only() {
        return Err(Problem::ReadOnly);
    }
    // What is written before all data came could win against what it does not know of.
    if matches!(node.life(), Some(Life::Unborn | Life::Filling)) {
        return Err(Problem::Syncing);
    }
    Ok(node.may_write()?)
}
