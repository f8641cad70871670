//! A network that a test can cut: a namespace for each node, joined by a bridge.

use std::process::{Command, Output};

/// Namespaces with one address each. Removed with it, whatever runs there.
#[derive(Debug)]
pub(crate) struct Network {
    name: String,
    /// All but the last number of its addresses.
    pub(crate) prefix: [u8; 3],
    count: u8,
}

impl Network {
    /// One for `count` nodes; nothing, and the reason printed, where it cannot be made.
    pub(crate) fn new(count: u8) -> Option<Self> {
        if let Some(why) = impossible() {
            println!("not run, {why}");
            return None;
        }
        let [second, third]: [u8; 2] = rand::random();
        let network = Self {
            name: format!("kvs{:06x}", rand::random::<u32>() >> 8),
            prefix: [10, second, third],
            count,
        };
        let bridge = &network.name;
        ip(&["link", "add", bridge, "type", "bridge"]);
        ip(&["addr", "add", &format!("{}/24", network.address(254)), "dev", bridge]);
        ip(&["link", "set", bridge, "up"]);
        (1..=count).for_each(|number| network.add(number));
        Some(network)
    }

    /// The namespace of a node.
    pub(crate) fn namespace(&self, number: u8) -> String {
        format!("{}-{number}", self.name)
    }

    fn address(&self, number: u8) -> String {
        let [first, second, third] = self.prefix;
        format!("{first}.{second}.{third}.{number}")
    }

    fn add(&self, number: u8) {
        let (inside, outside) = (self.namespace(number), format!("{}v{number}", self.name));
        ip(&["netns", "add", &inside]);
        ip(&["link", "add", &outside, "type", "veth", "peer", "name", "eth0", "netns", &inside]);
        ip(&["link", "set", &outside, "master", &self.name, "up"]);
        let within = |arguments: &[&str]| ip(&[&["-n", &inside], arguments].concat());
        within(&["addr", "add", &format!("{}/24", self.address(number)), "dev", "eth0"]);
        within(&["link", "set", "eth0", "up"]);
        within(&["link", "set", "lo", "up"]);
    }

    /// Drops everything that the one sends to the other.
    pub(crate) fn cut_one_way(&self, from: u8, to: u8) {
        let source = self.address(from);
        let inside = self.namespace(to);
        run(&[
            "ip", "netns", "exec", &inside, "iptables", "-A", "INPUT", "-s", &source, "-j", "DROP",
        ]);
    }

    /// Drops everything between the two.
    pub(crate) fn cut(&self, one: u8, other: u8) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Cuts one off from all others.
    pub(crate) fn cut_off(&self, number: u8) {
        (1..=self.count).filter(|other| *other != number).for_each(|other| self.cut(number, other));
    }

    /// Mends all that was cut.
    pub(crate) fn heal(&self) {
        for number in 1..=self.count {
            run(&["ip", "netns", "exec", &self.namespace(number), "iptables", "-F", "INPUT"]);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // What was never made need not be removed.
        for number in 1..=self.count {
            let _ = output(&["ip", "netns", "del", &self.namespace(number)]);
        }
        let _ = output(&["ip", "link", "del", &self.name]);
    }
}

fn impossible() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root".into());
    }
    let probe = ["ip", "iptables"].map(|tool| (tool, output(&[tool, "-V"])));
    let missing =
        probe.into_iter().find(|(_, found)| !found.as_ref().is_ok_and(|it| it.status.success()));
    missing.map(|(tool, _)| format!("`{tool}` is not installed"))
}

fn ip(arguments: &[&str]) {
    run(&[&["ip"], arguments].concat());
}

fn run(command: &[&str]) {
    let output = output(command).unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn output(command: &[&str]) -> std::io::Result<Output> {
    Command::new(command[0]).args(&command[1..]).output()
}
