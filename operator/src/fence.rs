//! Nothing is written on behalf of a lease that may be another operator's by now.
//!
//! A process that is frozen and goes on later finds its steps where it left them, and its lease expired.
//! Before anything is written it is therefore asked here, at the last moment, how old the last renewal
//! is. This machine's running time goes on while a process does not.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::TryFutureExt as _;
use futures_util::future::{Either, MapErr, Ready, ready};
use http::{Method, Request};
use thiserror::Error;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use crate::lease::GIVE_UP;

/// The lease was not renewed in time: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lease was not renewed in time, and may be another operator's: nothing is written")]
pub struct Stale;

/// When the lease was last this operator's.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

impl Fence {
    /// The lease was this operator's then.
    pub fn renew(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// The lease is no longer this operator's.
    pub fn drop_lease(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether something may be written.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn check(&self) -> Result<(), Stale> {
        let renewed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.is_some_and(|at| at.elapsed() < GIVE_UP) { Ok(()) } else { Err(Stale) }
    }
}

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Fenced<S> {
        Fenced { inner, fence: self.clone() }
    }
}

/// Lets questions through, and everything else only with the lease.
#[derive(Clone, Debug)]
pub struct Fenced<S> {
    inner: S,
    fence: Fence,
}

type Refused<T> = Ready<Result<T, BoxError>>;
type Answered<F, E> = MapErr<F, fn(E) -> BoxError>;

impl<S, B> Service<Request<B>> for Fenced<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Refused<S::Response>, Answered<S::Future, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.method() != Method::GET
            && let Err(stale) = self.fence.check()
        {
            return Either::Left(ready(Err(stale.into())));
        }
        Either::Right(self.inner.call(request).map_err(Into::into as fn(S::Error) -> BoxError))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use tower::{ServiceExt as _, service_fn};

    use super::*;

    async fn sends(fence: &Fence, method: Method) -> bool {
        let server = service_fn(|_: Request<()>| async { Ok::<(), Infallible>(()) });
        let request = Request::builder().method(method).body(()).unwrap();
        fence.layer(server).oneshot(request).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_written_before_the_lease_is_had_nor_once_it_is_too_old() {
        let fence = Fence::default();
        assert!(!sends(&fence, Method::PATCH).await);
        fence.renew(Instant::now());
        tokio::time::advance(GIVE_UP.saturating_sub(Duration::from_millis(1))).await;
        assert!(sends(&fence, Method::PATCH).await);
        tokio::time::advance(Duration::from_millis(1)).await;
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(!sends(&fence, method).await);
        }
        assert!(sends(&fence, Method::GET).await);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_written_once_the_lease_was_let_go() {
        let fence = Fence::default();
        fence.renew(Instant::now());
        fence.drop_lease();
        assert_eq!(fence.check(), Err(Stale));
    }
}
