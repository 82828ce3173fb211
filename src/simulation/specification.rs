//! What administrators stated of devices, in the inventory.

use dyno_simulate::device::{self, Generation};

use crate::domain::device_specification::{DeviceFigures, DeviceSpecification, STATED};
use crate::domain::inventory::{Device, DeviceConfig, Node};

const GIB: f64 = 1_073_741_824.0;

/// The name under which a device is specified: the data sheet's where it is known. A part of a device (MIG) and a processor go by
/// their own name: what a data sheet says of the whole device, or of another processor of its make, is not theirs.
pub fn specified_name(name: &str) -> String {
    match device::find(name) {
        Ok(sheet) if sheet.generation != Generation::Cpu && !is_part(name) => sheet.name,
        _ => name.to_owned(),
    }
}

/// Whether a name is that of a part of a device: `NVIDIA H100 80GB HBM3 MIG 1g.10gb`, `nvidia.com/mig-1g.10gb`.
pub(super) fn is_part(name: &str) -> bool {
    name.split(|letter: char| !letter.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("mig"))
}

/// What the data sheet of this name says.
pub fn data_sheet(name: &str) -> Option<DeviceFigures> {
    let sheet = device::CATALOGUE.iter().find(|sheet| sheet.name.eq_ignore_ascii_case(name))?.device();
    Some(DeviceFigures {
        peak_fp16_tflops: sheet.tflops_16,
        memory_gib: sheet.memory_gib,
        memory_bandwidth_gbps: sheet.memory_bandwidth,
        link_bandwidth_gbps: Some(sheet.link_bandwidth),
        peak_fp8_tflops: sheet.tflops_8,
        peak_fp4_tflops: sheet.tflops_4,
    })
}

/// Puts what administrators stated of a node's devices in place of what is known of them otherwise; memory that was read stays.
pub fn specify(nodes: &mut [Node], specifications: &[DeviceSpecification]) {
    for device in nodes.iter_mut().flat_map(|node| &mut node.devices) {
        if let Some(stated) = specification_of(&device.name, specifications) {
            apply(device, &stated.figures);
        }
    }
}

/// What is stated of the device with this name.
pub(super) fn specification_of<'a>(device: &str, all: &'a [DeviceSpecification]) -> Option<&'a DeviceSpecification> {
    let name = specified_name(device);
    // what was stated may have got a data sheet since
    all.iter().find(|stated| specified_name(&stated.device).eq_ignore_ascii_case(&name))
}

fn apply(device: &mut Device, figures: &DeviceFigures) {
    let source = match device.device_info.memory_bytes {
        Some(_) => STATED.to_owned(),
        None => format!("{STATED}, its memory too"),
    };
    device.device_info.memory_bytes.get_or_insert((figures.memory_gib * GIB) as u64);
    device.device_config = DeviceConfig {
        peak_fp16_tflops: Some(figures.peak_fp16_tflops),
        memory_bandwidth_gbps: Some(figures.memory_bandwidth_gbps),
        link_bandwidth_gbps: figures.link_bandwidth_gbps,
        peak_fp8_tflops: figures.peak_fp8_tflops,
        peak_fp4_tflops: figures.peak_fp4_tflops,
        source: Some(source),
    };
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// What is stated of one device: TFLOPS, GiB, GB/s.
    pub(crate) fn stated(device: &str, tflops: f64, memory: f64, bandwidth: f64) -> DeviceSpecification {
        serde_json::from_value(json!({
            "id": uuid::Uuid::nil(), "device": device, "peak_fp16_tflops": tflops, "memory_gib": memory,
            "memory_bandwidth_gbps": bandwidth, "set_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    fn node(name: &str, kind: &str, memory: Option<u64>) -> Node {
        serde_json::from_value(json!({ "hostname": "n", "status": "Ready", "devices": [{
            "name": name, "type": kind, "device_info": { "memory_bytes": memory },
            "device_config": { "peak_fp16_TFLOPS": 1.0, "memory_bandwidth_GBps": 1.0, "source": "datasheet: x" }, "available_count": 1,
        }] }))
        .unwrap()
    }

    /// The peak, the bytes of memory and the source after these were stated.
    fn specified(name: &str, memory: Option<u64>, all: &[DeviceSpecification]) -> (f64, Option<u64>, String) {
        let mut nodes = [node(name, "cuda", memory)];
        specify(&mut nodes, all);
        let device = &nodes[0].devices[0];
        let DeviceConfig { peak_fp16_tflops, source, .. } = device.device_config.clone();
        (peak_fp16_tflops.unwrap(), device.device_info.memory_bytes, source.unwrap())
    }

    #[test]
    fn what_is_stated_counts_and_memory_that_was_read_stays() {
        let all = [stated("H100-SXM-80GB", 500.0, 40.0, 2_000.0), stated("Acme X1", 400.0, 2.0, 1_000.0)];
        let read = Some(79 << 30);
        assert_eq!(specified("NVIDIA H100 80GB HBM3", read, &all), (500.0, read, "stated in Settings".to_owned()));
        let memory_too = "stated in Settings, its memory too".to_owned();
        assert_eq!(specified("acme x1", None, &all), (400.0, Some(2 << 30), memory_too));
        assert_eq!(specified("Acme X2", read, &all), (1.0, read, "datasheet: x".to_owned()));
        let before_its_data_sheet = [stated("NVIDIA L4", 100.0, 20.0, 250.0)];
        assert_eq!(specified("L4-24GB", read, &before_its_data_sheet).0, 100.0);
    }

    #[test]
    fn what_is_stated_of_a_device_is_not_said_of_a_part_of_it_nor_of_other_processors() {
        let part = "NVIDIA H100 80GB HBM3 MIG 1g.10gb";
        let whole = [stated("H100-SXM-80GB", 500.0, 80.0, 2_000.0), stated("Xeon-6767P", 250.0, 512.0, 400.0)];
        for other in [part, "nvidia.com/mig-1g.10gb", "Intel(R) Xeon(R) Platinum 8480+"] {
            assert_eq!(specified(other, None, &whole).0, 1.0, "{other}");
            assert_eq!(specified_name(other), other);
        }
        assert_eq!(specified(part, None, &[stated(part, 140.0, 9.6, 400.0)]).0, 140.0);
        assert_eq!(specified_name("NVIDIA L4"), "L4-24GB");
    }
}
