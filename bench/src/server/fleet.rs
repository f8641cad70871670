//! Several servers that run side by side, of which one at a time is measured.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Product, Programs, Server};
use crate::{
    bare::Answer,
    console::{in_full, note},
    target::{Endpoint, Protocol},
};

/// A server that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Running servers.
#[derive(Debug, Default)]
pub struct Fleet {
    servers: Vec<Server>,
    left_out: Vec<LeftOut>,
}

impl Fleet {
    /// Starts the servers behind `protocols`, but for the bare handler, which has to be told
    /// what to answer. What cannot be started is left out, and said so.
    pub async fn start(protocols: &[Protocol], programs: &Programs, place: &Path) -> Self {
        let mut fleet = Self::default();
        for &protocol in protocols {
            let product = Product::behind(protocol);
            if product != Product::Bare && !fleet.knows(product) {
                fleet.add(product, programs, place, None).await;
            }
        }
        fleet
    }

    /// Adds the bare handler, which gives this answer.
    pub async fn add_bare(&mut self, programs: &Programs, place: &Path, answer: &Answer) {
        self.add(Product::Bare, programs, place, Some(answer)).await;
    }

    /// Where each of the protocols is to be had, without those that are left out.
    pub fn endpoints(&self, protocols: &[Protocol]) -> Vec<Endpoint> {
        protocols.iter().filter_map(|&protocol| self.endpoint(protocol)).collect()
    }

    /// Where this protocol is to be had.
    pub fn endpoint(&self, protocol: Protocol) -> Option<Endpoint> {
        self.server(Product::behind(protocol)).map(|server| server.endpoint(protocol))
    }

    /// The server of this product.
    pub fn server(&self, product: Product) -> Option<&Server> {
        self.servers.iter().find(|server| server.product() == product)
    }

    /// The products that run.
    pub fn products(&self) -> impl Iterator<Item = Product> {
        self.servers.iter().map(Server::product)
    }

    /// What could not be started.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Ends all of them.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
    }

    fn knows(&self, product: Product) -> bool {
        self.server(product).is_some()
            || self.left_out.iter().any(|left_out| left_out.name == product.name())
    }

    async fn add(
        &mut self,
        product: Product,
        programs: &Programs,
        place: &Path,
        answer: Option<&Answer>,
    ) {
        match Server::start(product, programs, place, answer).await {
            Ok(server) => self.servers.push(server),
            Err(error) => {
                let (name, reason) = (product.name().to_owned(), in_full(&error));
                note(&format!("left out: {name}: {reason}"));
                self.left_out.push(LeftOut { name, reason });
            }
        }
    }
}
