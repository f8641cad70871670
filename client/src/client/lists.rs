//! Listing: one page at a time, or everything as a stream that fetches pages as it is read.

use futures_util::{
    FutureExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt as _},
};
use reqwest::Method;

use super::{
    Client,
    options::{ChangesOptions, ListOptions, PageOptions, TreeOptions},
};
use crate::{Change, ClientError, ListItem, NestedTree, Page, Revision, TreeItem};

/// Everything a list holds, fetched page by page; it ends at the first error.
type Items<T> = BoxStream<'static, Result<T, ClientError>>;

impl Client {
    /// Lists one page of the direct children of a prefix, in order; an empty prefix is the root.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller may not list, or an option is refused.
    pub async fn ls(
        &self,
        prefix: &str,
        options: &ListOptions,
    ) -> Result<Page<ListItem>, ClientError> {
        let mut url = self.below_url(prefix, "_ls")?;
        options.apply(&mut url);
        self.call(self.request(Method::GET, url)).await
    }

    /// Lists all direct children of a prefix, in order.
    pub fn ls_all(&self, prefix: &str, options: ListOptions) -> Items<ListItem> {
        let (client, prefix) = (self.clone(), prefix.to_owned());
        pages(options.page.after.clone(), move |after| {
            let (client, prefix, mut options) = (client.clone(), prefix.clone(), options.clone());
            options.page.after = after;
            async move { client.ls(&prefix, &options).await }.boxed()
        })
    }

    /// Reads one page of everything below a prefix, in the order of keys.
    ///
    /// # Errors
    /// As [`Client::ls`].
    pub async fn tree(
        &self,
        prefix: &str,
        options: &TreeOptions,
    ) -> Result<Page<TreeItem>, ClientError> {
        let mut url = self.below_url(prefix, "_tree")?;
        options.apply(&mut url, "json");
        self.call(self.request(Method::GET, url)).await
    }

    /// Reads everything below a prefix, in the order of keys.
    pub fn tree_all(&self, prefix: &str, options: TreeOptions) -> Items<TreeItem> {
        let (client, prefix) = (self.clone(), prefix.to_owned());
        pages(options.page.after.clone(), move |after| {
            let (client, prefix, mut options) = (client.clone(), prefix.clone(), options.clone());
            options.page.after = after;
            async move { client.tree(&prefix, &options).await }.boxed()
        })
    }

    /// Reads what is below a prefix as one object nested by segment.
    ///
    /// # Errors
    /// As [`Client::ls`].
    pub async fn tree_nested(
        &self,
        prefix: &str,
        options: &TreeOptions,
    ) -> Result<NestedTree, ClientError> {
        let mut url = self.below_url(prefix, "_tree")?;
        options.apply(&mut url, "nested");
        self.call(self.request(Method::GET, url)).await
    }

    /// Lists one page of what changed below a prefix: by time where `since` or `until` is given,
    /// else in this node's commit order.
    ///
    /// # Errors
    /// As [`Client::ls`].
    pub async fn changes(
        &self,
        prefix: &str,
        options: &ChangesOptions,
    ) -> Result<Page<Change>, ClientError> {
        let mut url = self.below_url(prefix, "_changes")?;
        options.apply(&mut url);
        self.call(self.request(Method::GET, url)).await
    }

    /// Lists everything that changed below a prefix until now.
    pub fn changes_all(&self, prefix: &str, options: ChangesOptions) -> Items<Change> {
        let (client, prefix) = (self.clone(), prefix.to_owned());
        pages(options.page.after.clone(), move |after| {
            let (client, prefix, mut options) = (client.clone(), prefix.clone(), options.clone());
            options.page.after = after;
            async move { client.changes(&prefix, &options).await }.boxed()
        })
    }

    /// Lists the versions of a key that the node still has, newest first.
    ///
    /// # Errors
    /// As [`Client::ls`].
    pub async fn history(
        &self,
        key: &str,
        options: &PageOptions,
    ) -> Result<Page<Revision>, ClientError> {
        let mut url = self.sub_url(key, "_history")?;
        options.apply(&mut url);
        self.call(self.request(Method::GET, url)).await
    }
}

/// Fetches pages, beginning after `first`, until one has no `next`. An empty page with a `next` is
/// followed too: the node had examined as many keys as it may for one request.
fn pages<T, F>(first: Option<String>, fetch: F) -> Items<T>
where
    T: Send + 'static,
    F: Fn(Option<String>) -> BoxFuture<'static, Result<Page<T>, ClientError>> + Send + 'static,
{
    let pages = stream::try_unfold((fetch, Some(first)), async |(fetch, at)| {
        let Some(after) = at else { return Ok(None) };
        let page = fetch(after).await?;
        Ok(Some((page.items, (fetch, page.next.map(Some)))))
    });
    pages.map_ok(|items| stream::iter(items.into_iter().map(Ok))).try_flatten().boxed()
}
