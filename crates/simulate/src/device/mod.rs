//! Devices: memory, bandwidths and arithmetic rates of their data sheets.

mod datasheet;

pub use datasheet::{CATALOGUE, Datasheet};
use serde::{Deserialize, Serialize};

use crate::names::{compact, contains_pattern};
use crate::precision::ArithmeticClass;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DeviceError {
    #[error("unknown device {0:?}; state its memory, bandwidth and peak TFLOPS")]
    Unknown(String),
    #[error("{field} of a device must be above 0, not {value}")]
    Invalid { field: &'static str, value: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    Volta,
    Ampere,
    Ada,
    Hopper,
    Blackwell,
    Cdna3,
    Gaudi,
    Cpu,
    /// Unknown: only stated figures.
    Stated,
}

impl Generation {
    fn vendor(self) -> u8 {
        match self {
            Self::Volta | Self::Ampere | Self::Ada | Self::Hopper | Self::Blackwell => 0,
            Self::Cdna3 => 1,
            Self::Gaudi => 2,
            Self::Cpu => 3,
            Self::Stated => 4,
        }
    }

    pub(crate) fn same_vendor(self, other: Self) -> bool {
        self.vendor() == other.vendor()
    }
}

/// Rates are dense, without sparsity; TFLOPS are 10^12 operations per second with accumulation in 32 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulatedDevice {
    pub name: String,
    pub generation: Generation,
    /// Memory as the driver states it.
    pub memory_gib: f64,
    /// GB per second.
    pub memory_bandwidth: f64,
    pub tflops_16: f64,
    /// Of 8-bit floats; `None`: not in hardware, such weights are unpacked to 16 bits.
    pub tflops_8: Option<f64>,
    /// Of 4-bit floats; `None` likewise.
    pub tflops_4: Option<f64>,
    /// GB per second to the other devices of the node, in one direction.
    pub link_bandwidth: f64,
    pub devices_per_node: u32,
}

impl SimulatedDevice {
    /// A device that is known by stated figures only: peak 16-bit TFLOPS (dense), memory in GiB, bandwidths in GB per second.
    pub fn stated(
        name: &str,
        tflops: f64,
        memory_gib: f64,
        memory_bandwidth: f64,
        link_bandwidth: f64,
    ) -> Result<Self, DeviceError> {
        for (field, value) in [
            ("peak TFLOPS", tflops),
            ("memory", memory_gib),
            ("memory bandwidth", memory_bandwidth),
            ("link bandwidth", link_bandwidth),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(DeviceError::Invalid { field, value });
            }
        }
        Ok(Self {
            name: name.to_owned(),
            generation: Generation::Stated,
            memory_gib,
            memory_bandwidth,
            tflops_16: tflops,
            tflops_8: None,
            tflops_4: None,
            link_bandwidth,
            devices_per_node: 8,
        })
    }

    /// With stated rates of narrower arithmetic, TFLOPS; what is not stated stays as it was.
    pub fn with_narrow_rates(self, tflops_8: Option<f64>, tflops_4: Option<f64>) -> Result<Self, DeviceError> {
        for (field, value) in [("peak 8-bit TFLOPS", tflops_8), ("peak 4-bit TFLOPS", tflops_4)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(DeviceError::Invalid { field, value });
            }
        }
        Ok(Self { tflops_8: tflops_8.or(self.tflops_8), tflops_4: tflops_4.or(self.tflops_4), ..self })
    }

    pub fn memory_bytes(&self) -> f64 {
        self.memory_gib * 1_073_741_824.0
    }

    /// Operations per second of this class, or of the narrowest wider one that the hardware has.
    pub(crate) fn operations_per_second(&self, class: ArithmeticClass) -> f64 {
        let wide = self.tflops_16;
        let narrow = self.tflops_8.unwrap_or(wide);
        1e12 * match class {
            ArithmeticClass::Bits16 => wide,
            ArithmeticClass::Bits8 => narrow,
            ArithmeticClass::Bits4 => self.tflops_4.unwrap_or(wide),
        }
    }

    pub(crate) fn bytes_per_second(&self) -> f64 {
        self.memory_bandwidth * 1e9
    }

    pub(crate) fn link_bytes_per_second(&self) -> f64 {
        self.link_bandwidth * 1e9
    }
}

/// Finds a device in the catalogue by the names that drivers, vendors and people use.
pub fn find(name: &str) -> Result<SimulatedDevice, DeviceError> {
    let compact = compact(name);
    let unknown = || DeviceError::Unknown(name.to_owned());
    CATALOGUE
        .iter()
        .filter(|row| row.marks.iter().all(|mark| contains_pattern(&compact, mark)))
        // The most specific row has the longest marks.
        .max_by_key(|row| row.marks.iter().map(|mark| mark.len()).sum::<usize>())
        .map_or_else(|| Err(unknown()), |row| Ok(row.device()))
}

/// Words of a name that tell no device from another.
const MAKERS: [&str; 7] = ["nvidia", "amd", "intel", "tesla", "geforce", "instinct", "gpu"];

fn words(name: &str) -> Vec<String> {
    let words = name.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).filter(|word| !MAKERS.contains(&word.as_str())).collect()
}

/// The devices of the catalogue that a name may mean, each of which has every word of it: three for `H100`, one for `H100 SXM`, none
/// for a driver's own longer name.
pub fn meant_by(name: &str) -> Vec<&'static str> {
    let asked = words(name);
    let has_all = |row: &&Datasheet| {
        let known = words(row.name);
        !asked.is_empty() && asked.iter().all(|word| known.contains(word))
    };
    CATALOGUE.iter().filter(has_all).map(|row| row.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_may_mean_several_devices_and_a_drivers_name_means_one() {
        assert_eq!(meant_by("NVIDIA H100"), ["H100-SXM-80GB", "H100-PCIe-80GB", "H100-NVL-94GB"]);
        assert_eq!(meant_by("a100 pcie"), ["A100-PCIe-40GB", "A100-PCIe-80GB"]);
        assert_eq!(meant_by("H20"), ["H20-3e-141GB", "H20-96GB"]);
        assert_eq!(meant_by("H100 SXM"), ["H100-SXM-80GB"]);
        assert!(meant_by("NVIDIA H100 80GB HBM3").is_empty() && meant_by("NVIDIA").is_empty() && meant_by("").is_empty());
        for row in CATALOGUE {
            assert_eq!(meant_by(row.name), [row.name], "every device can be named");
        }
    }
}
