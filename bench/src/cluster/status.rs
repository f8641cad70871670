use serde::Deserialize;

/// What a node says of itself and of its peers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Where it is in its life.
    pub life: String,
    /// The hash of all that it holds, once it is known.
    #[serde(default)]
    pub root: Option<String>,
    /// How many records that is.
    #[serde(default)]
    pub records: Option<u64>,
    peers: Vec<Peer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Peer {
    reachable: bool,
    stream: String,
}

impl Status {
    /// Whether it has caught up with all others.
    pub fn serves(&self) -> bool {
        self.life == "serving"
    }

    /// How many others it follows.
    pub fn followed(&self) -> usize {
        self.peers.iter().filter(|peer| peer.reachable && peer.stream == "open").count()
    }
}
