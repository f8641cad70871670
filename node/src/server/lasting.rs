//! Work that goes on without whoever began it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::node::Node;

/// A future that runs to its end in any case: within the task that polls it while that wants to
/// know, and in a task of its own once it is dropped. Hardly any is, so hardly any costs a task.
pub(super) struct Lasting<F: Future<Output: Send> + Send + 'static> {
    node: Arc<Node>,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future<Output: Send> + Send + 'static> Lasting<F> {
    pub(super) fn new(node: Arc<Node>, work: F) -> Self {
        Self { node, work: Some(Box::pin(work)) }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Lasting<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out meanwhile: what has ended, by a panic too, must not be polled again.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Lasting<F> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.node.spawn(work);
        }
    }
}
