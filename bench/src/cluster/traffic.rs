use std::collections::BTreeMap;

/// What comparing and repairing asks.
const REPAIR: [&str; 6] = ["begin", "compare", "fetch", "push", "range", "agree"];

/// Bytes of bodies (HTTP/2 DATA) between a node and all others, both ways, by route, and requests
/// likewise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    bytes: BTreeMap<String, u64>,
    requests: BTreeMap<String, u64>,
}

impl Traffic {
    /// The counters in a node's metrics.
    pub fn of_metrics(text: &str) -> Self {
        let mut traffic = Self::default();
        for line in text.lines() {
            add(&mut traffic.bytes, line, "kvs_peer_bytes_total{");
            add(&mut traffic.requests, line, "kvs_peer_requests_total{");
        }
        traffic
    }

    /// What came since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            bytes: difference(&self.bytes, &before.bytes),
            requests: difference(&self.requests, &before.requests),
        }
    }

    /// Bytes of comparing and repairing.
    pub fn repair_bytes(&self) -> u64 {
        REPAIR.iter().map(|route| self.bytes(route)).sum()
    }

    /// Bytes on one route, both ways.
    pub fn bytes(&self, route: &str) -> u64 {
        self.bytes.get(route).copied().unwrap_or(0)
    }

    /// Requests on one route, both ways.
    pub fn requests(&self, route: &str) -> u64 {
        self.requests.get(route).copied().unwrap_or(0)
    }

    /// Bytes by route, where there were any.
    pub fn in_words(&self) -> String {
        let used = self.bytes.iter().filter(|(_, bytes)| **bytes > 0);
        let each = used.map(|(route, bytes)| {
            format!("{route} {bytes} B in {} requests", self.requests(route))
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// Adds a line like `name{route="compare",direction="in"} 12` to its route.
fn add(counts: &mut BTreeMap<String, u64>, line: &str, name: &str) {
    let parsed = line.strip_prefix(name).and_then(|rest| {
        let route = rest.split_once("route=\"")?.1.split_once('"')?.0;
        let count = rest.rsplit_once(' ')?.1.parse::<f64>().ok()?;
        Some((route, crate::number::whole(count)))
    });
    if let Some((route, count)) = parsed {
        *counts.entry(route.to_owned()).or_default() += count;
    }
}

fn difference(
    after: &BTreeMap<String, u64>,
    before: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    let before = |route: &String| before.get(route).copied().unwrap_or(0);
    after
        .iter()
        .map(|(route, count)| (route.clone(), count.saturating_sub(before(route))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(compare: u64, stream: u64) -> Traffic {
        Traffic::of_metrics(&format!(
            "# TYPE kvs_peer_bytes counter\n\
             kvs_peer_bytes_total{{route=\"compare\",direction=\"in\"}} {compare}\n\
             kvs_peer_bytes_total{{route=\"compare\",direction=\"out\"}} 2\n\
             kvs_peer_bytes_total{{route=\"stream\",direction=\"in\"}} {stream}\n\
             kvs_peer_requests_total{{route=\"compare\",direction=\"in\"}} 1\n"
        ))
    }

    #[test]
    fn both_directions_count_and_streams_do_not() {
        assert_eq!(traffic(10, 1_000).repair_bytes(), 12);
        assert_eq!(traffic(10, 1_000).requests("compare"), 1);
    }

    #[test]
    fn what_was_counted_before_is_taken_off() {
        let since = traffic(50, 9).since(&traffic(10, 3));
        assert_eq!((since.repair_bytes(), since.requests("compare")), (40, 0));
    }
}
