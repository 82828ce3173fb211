//! Maps a device of the inventory to a device of the simulator.

use dyno_simulate::device::{self, Generation, SimulatedDevice};

use super::specification::is_part;
use crate::domain::device_specification::STATED;
use crate::domain::inventory::{Device, DeviceConfig, DeviceType};

/// Assumed GB per second between devices without a data sheet: PCIe 4.0 with 16 lanes.
pub(super) const ASSUMED_LINK: f64 = 32.0;
const GIB: f64 = 1_073_741_824.0;

/// Why a device can't be simulated; a sentence for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{0} is not known to the simulator, and its node does not state peak TFLOPS, memory bandwidth and memory: it can't be simulated. \
     An administrator can state them in Settings."
)]
pub struct UnknownDevice(String);

/// A device for the simulator.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub profile: SimulatedDevice,
    pub basis: Basis,
}

/// Where a device's figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    DataSheet,
    /// Only what its node states or estimates.
    Node,
    /// Only what an administrator stated.
    Stated,
    /// What an administrator stated, and what was not stated by data sheet.
    StatedBesideDataSheet,
}

/// From what an administrator stated, before the data sheet where the name is known, before what its node states; with the memory that
/// was read.
pub(super) fn known(found: &Device) -> Result<Known, UnknownDevice> {
    let config = &found.device_config;
    let comes_from = |origin: &str| config.source.as_deref().is_some_and(|source| source.starts_with(origin));
    let stated = stated(found);
    if found.kind == DeviceType::Cpu {
        // a processor's name says little: the machine's cores and memory channels decide
        let profile = SimulatedDevice { generation: Generation::Cpu, devices_per_node: 1, ..stated? };
        let basis = if comes_from(STATED) {
            Basis::Stated
        } else if comes_from("datasheet") {
            Basis::DataSheet
        } else {
            Basis::Node
        };
        return Ok(Known { profile, basis });
    }
    match device::find(&found.name) {
        Ok(sheet) => {
            let memory_gib = found.device_info.memory_bytes.map_or(sheet.memory_gib, |bytes| bytes as f64 / GIB);
            let sheet = SimulatedDevice { memory_gib, ..sheet };
            if comes_from(STATED) {
                let profile = with_stated(sheet, config, is_part(&found.name));
                return Ok(Known { profile, basis: Basis::StatedBesideDataSheet });
            }
            Ok(Known { profile: sheet, basis: Basis::DataSheet })
        }
        Err(_) => Ok(Known { profile: stated?, basis: if comes_from(STATED) { Basis::Stated } else { Basis::Node } }),
    }
}

/// A data sheet with what was stated in place of its own. Of a part of the device, the narrower rates have the same share of the
/// whole as the stated one.
fn with_stated(sheet: SimulatedDevice, stated: &DeviceConfig, is_part: bool) -> SimulatedDevice {
    let tflops_16 = stated.peak_fp16_tflops.unwrap_or(sheet.tflops_16);
    let share = if is_part { tflops_16 / sheet.tflops_16 } else { 1.0 };
    SimulatedDevice {
        tflops_16,
        tflops_8: stated.peak_fp8_tflops.or(sheet.tflops_8.map(|rate| rate * share)),
        tflops_4: stated.peak_fp4_tflops.or(sheet.tflops_4.map(|rate| rate * share)),
        memory_bandwidth: stated.memory_bandwidth_gbps.unwrap_or(sheet.memory_bandwidth),
        link_bandwidth: stated.link_bandwidth_gbps.unwrap_or(sheet.link_bandwidth),
        ..sheet
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

fn stated(found: &Device) -> Result<SimulatedDevice, UnknownDevice> {
    let config = &found.device_config;
    let unknown = || UnknownDevice(found.name.clone());
    let (Some(tflops), Some(bandwidth), Some(memory)) =
        (config.peak_fp16_tflops, config.memory_bandwidth_gbps, found.device_info.memory_bytes)
    else {
        return Err(unknown());
    };
    let link = config.link_bandwidth_gbps.unwrap_or(ASSUMED_LINK);
    SimulatedDevice::stated(&found.name, tflops, memory as f64 / GIB, bandwidth, link)
        .and_then(|profile| profile.with_narrow_rates(config.peak_fp8_tflops, config.peak_fp4_tflops))
        .map_err(|_| unknown())
}

impl Known {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        let SimulatedDevice { name, tflops_16, memory_bandwidth, memory_gib, .. } = &self.profile;
        let basis = match self.basis {
            Basis::DataSheet => "by data sheet",
            Basis::Node => "as its node states or estimates",
            Basis::Stated => "as stated in Settings",
            Basis::StatedBesideDataSheet => "as stated in Settings, its other rates by data sheet",
        };
        format!(
            "Device {name}, {basis}: {tflops_16:.1} TFLOPS at 16 bits, {memory_bandwidth:.0} GB/s, {memory_gib:.1} GiB of memory."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inventory::DeviceInfo;

    fn device(name: &str, kind: DeviceType, memory: Option<u64>, tflops: Option<f64>) -> Device {
        Device {
            name: name.to_owned(),
            kind,
            device_info: DeviceInfo { memory_bytes: memory, ..DeviceInfo::default() },
            device_config: DeviceConfig {
                peak_fp16_tflops: tflops,
                memory_bandwidth_gbps: tflops.map(|tflops| tflops * 2.0),
                ..DeviceConfig::default()
            },
            available_count: 1,
        }
    }

    fn in_settings(device: Device) -> Device {
        let link_bandwidth_gbps = Some(100.0);
        let source = Some(STATED.to_owned());
        Device { device_config: DeviceConfig { link_bandwidth_gbps, source, ..device.device_config }, ..device }
    }

    #[test]
    fn a_data_sheet_counts_before_what_is_stated_and_the_memory_is_what_was_read() {
        let h100 = known(&device("NVIDIA H100 80GB HBM3", DeviceType::Cuda, Some(40 << 30), Some(1.0))).unwrap();
        assert_eq!((h100.profile.name.as_str(), h100.profile.memory_gib, h100.basis), ("H100-SXM-80GB", 40.0, Basis::DataSheet));
    }

    #[test]
    fn a_device_without_data_sheet_goes_by_what_its_node_states_or_is_refused() {
        let other = known(&device("Another 9", DeviceType::Cuda, Some(8 << 30), Some(50.0))).unwrap();
        assert_eq!((other.profile.tflops_16, other.profile.memory_bandwidth, other.basis), (50.0, 100.0, Basis::Node));
        let unknown = known(&device("Another 9", DeviceType::Cuda, Some(8 << 30), None)).unwrap_err();
        assert!(unknown.to_string().starts_with("Another 9 is not known to the simulator"));
        // a Xeon with two cores is not the data sheet's
        let cpu = known(&device("Intel(R) Xeon(R) Processor", DeviceType::Cpu, Some(8 << 30), Some(10.0))).unwrap();
        assert_eq!((cpu.profile.generation, cpu.profile.tflops_16, cpu.profile.memory_gib), (Generation::Cpu, 10.0, 8.0));
    }
    #[test]
    fn what_an_administrator_stated_counts_before_the_data_sheet_whose_other_values_stay() {
        let h100 = known(&in_settings(device("NVIDIA H100 80GB HBM3", DeviceType::Cuda, Some(40 << 30), Some(500.0)))).unwrap();
        let SimulatedDevice { generation, memory_gib, memory_bandwidth, tflops_16, tflops_8, link_bandwidth, .. } = h100.profile;
        assert_eq!((tflops_16, memory_bandwidth, memory_gib, link_bandwidth), (500.0, 1000.0, 40.0, 100.0));
        assert_eq!((generation, tflops_8), (Generation::Hopper, Some(1979.0)));
        assert!(h100.sentence().starts_with("Device H100-SXM-80GB, as stated in Settings, its other rates by data sheet: 500.0"));
        let part = in_settings(device("NVIDIA H100 80GB HBM3 MIG 1g.10gb", DeviceType::Cuda, Some(9 << 30), Some(98.9)));
        let part = known(&part).unwrap().profile;
        assert!((part.tflops_8.unwrap() - 197.9).abs() < 1e-9, "a tenth of the device, of its narrower rates, too");
    }

    #[test]
    fn narrower_rates_may_be_stated_of_any_device() {
        let narrow = |name: &str| {
            let mut device = in_settings(device(name, DeviceType::Cuda, Some(8 << 30), Some(50.0)));
            device.device_config.peak_fp8_tflops = Some(90.0);
            known(&device).unwrap().profile
        };
        let (other, h100) = (narrow("Another 9"), narrow("NVIDIA H100 80GB HBM3 MIG 1g.10gb"));
        assert_eq!((other.tflops_8, other.tflops_4, h100.tflops_8), (Some(90.0), None, Some(90.0)));
    }

    #[test]
    fn what_has_no_data_sheet_goes_by_what_an_administrator_stated() {
        let other = known(&in_settings(device("Another 9", DeviceType::Cuda, Some(8 << 30), Some(50.0)))).unwrap();
        assert_eq!((other.profile.link_bandwidth, other.basis), (100.0, Basis::Stated));
        assert!(other.sentence().starts_with("Device Another 9, as stated in Settings: 50.0 TFLOPS at 16 bits, 100 GB/s"));
        let cpu = known(&in_settings(device("amd64 CPU", DeviceType::Cpu, Some(8 << 30), Some(10.0)))).unwrap();
        assert_eq!((cpu.profile.generation, cpu.basis), (Generation::Cpu, Basis::Stated));
    }
}
