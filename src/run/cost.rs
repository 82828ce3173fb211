//! What the devices that serve a run cost, by the prices that an administrator has set.

use std::collections::BTreeMap;

use crate::domain::inventory::{DeviceType, Node};
use crate::domain::price::DevicePrice;
use crate::simulation::device_name;
use dyno_measure::report::cost::PricedDevices;
use dyno_measure::report::provenance::ServingDevices;

/// The serving devices with their prices, by device; empty unless every one of them has one. Copies on a processor share it. Where a
/// node has devices of one type and several names, which of them serve is not known.
pub fn priced(serving: &[ServingDevices], nodes: &[Node], prices: &[DevicePrice]) -> Vec<PricedDevices> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for devices in serving {
        let Some(kind) = devices.device_type.as_deref() else { return Vec::new() };
        let count = counts.entry((&devices.node, kind)).or_default();
        *count = if kind == DeviceType::Cpu.into_str() { 1 } else { *count + devices.count };
    }
    let mut found: BTreeMap<&str, PricedDevices> = BTreeMap::new();
    for ((hostname, kind), count) in counts {
        let Some(price) = nodes.iter().find(|node| node.hostname == hostname).and_then(|node| price_in(node, kind, prices))
        else {
            return Vec::new();
        };
        found
            .entry(&price.device)
            .or_insert_with(|| PricedDevices {
                device: price.device.clone(),
                count: 0,
                per_hour: price.per_hour,
                currency: price.currency.clone(),
            })
            .count += count;
    }
    found.into_values().collect()
}

/// The price of the node's devices of this type, if they are all of one name.
fn price_in<'a>(node: &Node, kind: &str, prices: &'a [DevicePrice]) -> Option<&'a DevicePrice> {
    let mut names = node.devices.iter().filter(|device| device.kind.into_str() == kind).map(|device| device_name(&device.name));
    let name = names.next()?;
    names.all(|other| other == name).then(|| prices.iter().find(|price| price.device.eq_ignore_ascii_case(&name))).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(hostname: &str, devices: &[(&str, &str)]) -> Node {
        let devices: Vec<_> = devices
            .iter()
            .map(|(kind, name)| json!({ "name": name, "type": kind, "device_info": {}, "device_config": {}, "available_count": 8 }))
            .collect();
        serde_json::from_value(json!({ "hostname": hostname, "status": "Ready", "devices": devices })).unwrap()
    }

    fn serving(node: &str, kind: &str, count: u32) -> ServingDevices {
        ServingDevices { node: node.to_owned(), device_type: Some(kind.to_owned()), count }
    }

    fn prices() -> Vec<DevicePrice> {
        let price = |device: &str, per_hour: f64| {
            let price = json!({ "id": uuid::Uuid::nil(), "device": device, "per_hour": per_hour, "currency": "EUR",
                "set_at": "2026-01-01T00:00:00Z" });
            serde_json::from_value(price).unwrap()
        };
        vec![price("H100-SXM-80GB", 2.5), price("Some CPU", 0.5)]
    }

    #[test]
    fn copies_are_added_by_device_and_share_a_processor() {
        let nodes = [
            node("a", &[("cuda", "NVIDIA H100 80GB HBM3"), ("cpu", "Some CPU")]),
            node("b", &[("cuda", "H100-SXM-80GB"), ("cpu", "Some CPU")]),
        ];
        let found = priced(&[serving("a", "cuda", 2), serving("a", "cuda", 2), serving("b", "cuda", 1)], &nodes, &prices());
        assert_eq!(found.iter().map(|devices| (devices.count, devices.per_hour)).collect::<Vec<_>>(), [(5, 2.5)]);
        let found = priced(&[serving("a", "cpu", 1), serving("a", "cpu", 1), serving("b", "cpu", 1)], &nodes, &prices());
        assert_eq!(found.iter().map(|devices| (devices.count, devices.per_hour)).collect::<Vec<_>>(), [(2, 0.5)]);
    }

    #[test]
    fn without_a_price_for_every_device_there_is_none() {
        let nodes = [
            node("a", &[("cuda", "H100-SXM-80GB"), ("cuda", "L4-24GB")]),
            node("b", &[("cuda", "L4-24GB")]),
            node("c", &[("cuda", "H100-SXM-80GB")]),
        ];
        let none: Vec<PricedDevices> = Vec::new();
        assert_eq!(priced(&[serving("a", "cuda", 1)], &nodes, &prices()), none, "which of two devices is not known");
        assert_eq!(priced(&[serving("b", "cuda", 1), serving("c", "cuda", 1)], &nodes, &prices()), none);
        assert_eq!(priced(&[serving("gone", "cuda", 1)], &nodes, &prices()), none);
        assert_eq!(priced(&[], &nodes, &prices()), none);
    }
}
