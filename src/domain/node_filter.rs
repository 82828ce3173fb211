//! Finding nodes among many: by text, by device, in an order.

use super::inventory::{DeviceType, Node};

/// More nodes than this are searched rather than read.
pub const MANY_NODES: usize = 12;

/// The order of nodes; its word is as addresses and forms have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum NodeSort {
    #[default]
    Hostname,
    /// Those with most free accelerators first.
    Free,
    /// Those with the least busy processors first, those that were not read last.
    Idle,
}

impl NodeSort {
    /// As people choose it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Hostname => "By name",
            Self::Free => "Most free accelerators first",
            Self::Idle => "Least busy first",
        }
    }
}

/// Which nodes, in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFilter {
    /// Small letters, trimmed.
    search: String,
    /// A device's name; empty: any.
    device: String,
    sort: NodeSort,
}

impl NodeFilter {
    /// As a form or an address asks for it; an order that there is none of is the usual one.
    pub fn new(search: &str, device: &str, sort: &str) -> Self {
        let sort = sort.parse().unwrap_or_default();
        Self { search: search.trim().to_lowercase(), device: device.to_owned(), sort }
    }

    /// Whether it leaves any node out.
    pub fn is_set(&self) -> bool {
        !self.search.is_empty() || !self.device.is_empty()
    }

    pub fn device(&self) -> &str {
        &self.device
    }

    pub fn sort(&self) -> NodeSort {
        self.sort
    }

    /// Its hostname, state or a device has the text, and it has the device.
    pub fn matches(&self, node: &Node) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.search);
        let found = has(&node.hostname) || has(&node.status) || node.devices.iter().any(|device| has(&device.name));
        found && (self.device.is_empty() || node.devices.iter().any(|device| device.name == self.device))
    }

    /// Brings nodes into the order.
    pub fn put_in_order(&self, nodes: &mut [Node]) {
        match self.sort {
            NodeSort::Hostname => nodes.sort_by(|a, b| a.hostname.cmp(&b.hostname)),
            NodeSort::Free => nodes.sort_by_key(|node| std::cmp::Reverse(free_accelerators(node))),
            NodeSort::Idle => {
                let busy = |node: &Node| node.usage.as_ref().map_or(f64::INFINITY, |usage| usage.cpu_percent);
                nodes.sort_by(|a, b| busy(a).total_cmp(&busy(b)));
            }
        }
    }
}

fn free_accelerators(node: &Node) -> u32 {
    let accelerators = node.devices.iter().filter(|device| device.kind != DeviceType::Cpu);
    accelerators.map(|device| device.available_count).sum()
}

/// The names of the devices that nodes have, each once.
pub fn device_names(nodes: &[Node]) -> Vec<String> {
    let mut names: Vec<String> = nodes.iter().flat_map(|node| &node.devices).map(|device| device.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, NodeUsage};

    fn node(hostname: &str, status: &str, gpu: Option<(&str, u32)>, cpu_percent: Option<f64>) -> Node {
        let device = |name: &str, kind, available_count| Device {
            name: name.to_owned(),
            kind,
            device_info: DeviceInfo::default(),
            device_config: DeviceConfig::default(),
            available_count,
        };
        let mut devices = vec![device("amd64 CPU", DeviceType::Cpu, 1)];
        devices.extend(gpu.map(|(name, free)| device(name, DeviceType::Cuda, free)));
        let usage = cpu_percent.map(|cpu_percent| NodeUsage {
            cpu_percent,
            load_1m: None,
            memory_total_bytes: 1,
            memory_available_bytes: 1,
        });
        Node { hostname: hostname.to_owned(), status: status.to_owned(), devices, usage, requests: None, system: None }
    }

    fn nodes() -> Vec<Node> {
        vec![
            node("b", "Ready", Some(("NVIDIA L4", 1)), Some(50.0)),
            node("a", "Ready", Some(("NVIDIA H100", 8)), None),
            node("c", "Cordoned", None, Some(10.0)),
        ]
    }

    fn found(search: &str, device: &str, sort: &str) -> Vec<String> {
        let filter = NodeFilter::new(search, device, sort);
        let mut nodes = nodes();
        nodes.retain(|node| filter.matches(node));
        filter.put_in_order(&mut nodes);
        nodes.into_iter().map(|node| node.hostname).collect()
    }

    #[test]
    fn nodes_are_found_by_name_state_and_device() {
        assert_eq!(found("", "", ""), ["a", "b", "c"]);
        assert_eq!(found(" h100 ", "", ""), ["a"]);
        assert_eq!(found("cordon", "", ""), ["c"]);
        assert_eq!(found("", "NVIDIA L4", ""), ["b"]);
        assert_eq!(found("a", "amd64 CPU", "nonsense"), ["a", "b", "c"], "the device's name has the letter");
        assert!(!NodeFilter::new(" ", "", "free").is_set());
        assert_eq!(device_names(&nodes()), ["NVIDIA H100", "NVIDIA L4", "amd64 CPU"]);
    }

    #[test]
    fn the_free_and_the_idle_come_first() {
        assert_eq!(found("", "", "free"), ["a", "b", "c"]);
        assert_eq!(found("", "", "idle"), ["c", "b", "a"]);
    }
}
