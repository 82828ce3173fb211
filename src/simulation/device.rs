//! Maps a device of the inventory to a device of the simulator.

use dyno_simulate::device::{self, Device as Profile, Generation};

use crate::domain::inventory::{Device, DeviceType};

/// Assumed GB per second between devices without a data sheet: PCIe 4.0 with 16 lanes.
const ASSUMED_LINK: f64 = 32.0;
const GIB: f64 = 1_073_741_824.0;

/// Why a device can't be simulated; a sentence for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{0} is not known to the simulator, and its node does not state peak TFLOPS, memory bandwidth and memory: it can't be simulated."
)]
pub struct UnknownDevice(String);

/// A device for the simulator.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub profile: Profile,
    /// Whether it is known only by the figures that its node states.
    pub is_stated: bool,
}

/// From the data sheet where the name is known, with the memory that was read; else from what its node states.
pub(super) fn known(found: &Device) -> Result<Known, UnknownDevice> {
    let stated = stated(found);
    if found.kind == DeviceType::Cpu {
        // a processor's name says little: the machine's cores and memory channels decide
        let profile = Profile { generation: Generation::Cpu, devices_per_node: 1, ..stated? };
        let is_stated = !found.device_config.source.as_deref().is_some_and(|source| source.starts_with("datasheet"));
        return Ok(Known { profile, is_stated });
    }
    match device::find(&found.name) {
        Ok(sheet) => {
            let memory_gib = found.device_info.memory_bytes.map_or(sheet.memory_gib, |bytes| bytes as f64 / GIB);
            Ok(Known { profile: Profile { memory_gib, ..sheet }, is_stated: false })
        }
        Err(_) => Ok(Known { profile: stated?, is_stated: true }),
    }
}

/// The data sheet's name of a device where it is known, else the name itself.
pub fn device_name(name: &str) -> String {
    device::find(name).map_or_else(|_| name.to_owned(), |sheet| sheet.name)
}

/// The names of all devices that have a data sheet.
pub fn known_devices() -> impl Iterator<Item = &'static str> {
    device::CATALOGUE.iter().map(|sheet| sheet.name)
}

/// The data sheets that a person's short name may mean, where there are several: `H100` is SXM, PCIe or NVL.
pub fn ambiguous_device(name: &str) -> Option<Vec<&'static str>> {
    Some(device::meant_by(name)).filter(|meant| meant.len() > 1)
}

fn stated(found: &Device) -> Result<Profile, UnknownDevice> {
    let config = &found.device_config;
    let unknown = || UnknownDevice(found.name.clone());
    let (Some(tflops), Some(bandwidth), Some(memory)) =
        (config.peak_fp16_tflops, config.memory_bandwidth_gbps, found.device_info.memory_bytes)
    else {
        return Err(unknown());
    };
    Profile::stated(&found.name, tflops, memory as f64 / GIB, bandwidth, ASSUMED_LINK).map_err(|_| unknown())
}

impl Known {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        let Profile { name, tflops_16, memory_bandwidth, memory_gib, .. } = &self.profile;
        let basis = if self.is_stated { "as its node states or estimates" } else { "by data sheet" };
        format!(
            "Device {name}, {basis}: {tflops_16:.1} TFLOPS at 16 bits, {memory_bandwidth:.0} GB/s, {memory_gib:.1} GiB of memory."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inventory::{DeviceConfig, DeviceInfo};

    fn device(name: &str, kind: DeviceType, memory: Option<u64>, tflops: Option<f64>) -> Device {
        Device {
            name: name.to_owned(),
            kind,
            device_info: DeviceInfo { memory_bytes: memory, ..DeviceInfo::default() },
            device_config: DeviceConfig {
                peak_fp16_tflops: tflops,
                memory_bandwidth_gbps: tflops.map(|tflops| tflops * 2.0),
                source: None,
            },
            available_count: 1,
        }
    }

    #[test]
    fn a_data_sheet_counts_before_what_is_stated_and_the_memory_is_what_was_read() {
        let h100 = known(&device("NVIDIA H100 80GB HBM3", DeviceType::Cuda, Some(40 << 30), Some(1.0))).unwrap();
        assert_eq!((h100.profile.name.as_str(), h100.profile.memory_gib, h100.is_stated), ("H100-SXM-80GB", 40.0, false));
    }

    #[test]
    fn a_device_without_data_sheet_goes_by_what_its_node_states_or_is_refused() {
        let other = known(&device("Another 9", DeviceType::Cuda, Some(8 << 30), Some(50.0))).unwrap();
        assert_eq!((other.profile.tflops_16, other.profile.memory_bandwidth, other.is_stated), (50.0, 100.0, true));
        let unknown = known(&device("Another 9", DeviceType::Cuda, Some(8 << 30), None)).unwrap_err();
        assert!(unknown.to_string().starts_with("Another 9 is not known to the simulator"));
        // a Xeon with two cores is not the data sheet's
        let cpu = known(&device("Intel(R) Xeon(R) Processor", DeviceType::Cpu, Some(8 << 30), Some(10.0))).unwrap();
        assert_eq!((cpu.profile.generation, cpu.profile.tflops_16, cpu.profile.memory_gib), (Generation::Cpu, 10.0, 8.0));
    }
}
