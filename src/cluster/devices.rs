//! Peak figures of known devices: dense 16-bit tensor throughput and memory bandwidth, from the makers' datasheets.
//!
//! For CPUs the figure is per socket at base clock: cores × clock × 16-bit operations per cycle (AMX 2,048, AVX-512 with
//! BF16 or FP16 128, otherwise AVX-512 64 and AVX2 32 at FP32 rate), and the bandwidth that of all memory channels.

use crate::domain::inventory::DeviceConfig;

/// The larger of two figures that may be absent.
pub(super) fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// An accelerator: a part of its name, peak dense FP16 TFLOPS, memory bandwidth in GB/s.
struct PeakRates(&'static str, f64, f64);

/// The first whose name is contained wins, so that the longer name comes first.
const ACCELERATORS: [PeakRates; 37] = [
    PeakRates("GB300", 2500.0, 8000.0),
    PeakRates("GB200", 2500.0, 8000.0),
    PeakRates("B300", 2250.0, 8000.0),
    PeakRates("B200", 2250.0, 8000.0),
    PeakRates("B100", 1800.0, 8000.0),
    PeakRates("GH200 480GB", 989.4, 4000.0),
    PeakRates("GH200", 989.4, 4900.0),
    PeakRates("H200 NVL", 835.5, 4800.0),
    PeakRates("H200", 989.4, 4800.0),
    PeakRates("H100 NVL", 835.5, 3900.0),
    PeakRates("H100 PCIe", 756.0, 2000.0),
    PeakRates("H100", 989.4, 3350.0),
    PeakRates("H800", 989.4, 3350.0),
    PeakRates("H20", 148.0, 4000.0),
    PeakRates("A100-SXM4-40GB", 312.0, 1555.0),
    PeakRates("A100-PCIE-40GB", 312.0, 1555.0),
    PeakRates("A100-SXM4-80GB", 312.0, 2039.0),
    PeakRates("A100 80GB PCIe", 312.0, 1935.0),
    PeakRates("A100", 312.0, 1555.0),
    PeakRates("A800", 312.0, 2039.0),
    PeakRates("A40", 149.7, 696.0),
    PeakRates("A30", 165.0, 933.0),
    PeakRates("A10G", 70.0, 600.0),
    PeakRates("A10", 125.0, 600.0),
    PeakRates("L40S", 362.1, 864.0),
    PeakRates("L40", 181.1, 864.0),
    PeakRates("L4", 121.0, 300.0),
    PeakRates("RTX PRO 6000", 503.8, 1792.0),
    PeakRates("RTX 6000 Ada", 364.2, 960.0),
    PeakRates("RTX A6000", 154.8, 768.0),
    PeakRates("RTX 5090", 209.5, 1792.0),
    PeakRates("RTX 5080", 112.6, 960.0),
    PeakRates("RTX 4090", 165.2, 1008.0),
    PeakRates("RTX 4080", 97.5, 716.8),
    PeakRates("RTX 3090", 71.0, 936.2),
    PeakRates("V100", 125.0, 900.0),
    PeakRates("T4", 65.0, 320.0),
];

/// A CPU by a part of its name: cores, base clock in GHz, 16-bit operations per cycle and core, bandwidth in GB/s; per socket.
struct Processor(&'static str, f64, f64, f64, f64);

const AMX: f64 = 2048.0;
const AVX512_BF16: f64 = 128.0;
const AVX512: f64 = 64.0;
const AVX2: f64 = 32.0;

const PROCESSORS: [Processor; 22] = [
    // Xeon 6 and 5th, 4th, 3rd generation Xeon: DDR5-6400 × 12, DDR5-5600 × 8, DDR5-4800 × 8, DDR4-3200 × 8.
    Processor("Xeon(R) 6980P", 128.0, 2.0, AMX, 614.4),
    Processor("Xeon(R) 6972P", 96.0, 2.4, AMX, 614.4),
    Processor("Xeon(R) Platinum 8592+", 64.0, 1.9, AMX, 358.4),
    Processor("Xeon(R) Platinum 8580", 60.0, 2.0, AMX, 358.4),
    Processor("Xeon(R) Platinum 8490H", 60.0, 1.9, AMX, 307.2),
    Processor("Xeon(R) Platinum 8488C", 48.0, 2.4, AMX, 307.2),
    Processor("Xeon(R) Platinum 8481C", 56.0, 2.0, AMX, 307.2),
    Processor("Xeon(R) Platinum 8480", 56.0, 2.0, AMX, 307.2),
    Processor("Xeon(R) Platinum 8468", 48.0, 2.1, AMX, 307.2),
    Processor("Xeon(R) Gold 6448Y", 32.0, 2.1, AMX, 307.2),
    Processor("Xeon(R) Gold 6430", 32.0, 2.1, AMX, 281.6),
    Processor("Xeon(R) Platinum 8380", 40.0, 2.3, AVX512, 204.8),
    Processor("Xeon(R) Gold 6338", 32.0, 2.0, AVX512, 204.8),
    // EPYC Turin, Genoa, Bergamo, Milan: DDR5-6000 × 12, DDR5-4800 × 12, DDR4-3200 × 8.
    Processor("EPYC 9965", 192.0, 2.25, AVX512_BF16, 576.0),
    Processor("EPYC 9755", 128.0, 2.7, AVX512_BF16, 576.0),
    Processor("EPYC 9654", 96.0, 2.4, AVX512_BF16 / 2.0, 460.8),
    Processor("EPYC 9554", 64.0, 3.1, AVX512_BF16 / 2.0, 460.8),
    Processor("EPYC 9354", 32.0, 3.25, AVX512_BF16 / 2.0, 460.8),
    Processor("EPYC 9754", 128.0, 2.25, AVX512_BF16 / 2.0, 460.8),
    Processor("EPYC 7763", 64.0, 2.45, AVX2, 204.8),
    Processor("EPYC 7713", 64.0, 2.0, AVX2, 204.8),
    Processor("EPYC 7543", 32.0, 2.8, AVX2, 204.8),
];

/// The figures of a known accelerator, by the name that its driver gives it; of labels, with spaces for its hyphens.
pub(super) fn accelerator(name: &str) -> Option<DeviceConfig> {
    let spaced = |name: &str| name.replace('-', " ");
    let name = spaced(name);
    let known = ACCELERATORS.iter().find(|known| contains_word(&name, &spaced(known.0)))?;
    Some(DeviceConfig {
        peak_fp16_tflops: Some(known.1),
        memory_bandwidth_gbps: Some(known.2),
        source: Some(format!("datasheet: {}", known.0)),
        ..DeviceConfig::default()
    })
}

/// The figures of a known CPU, for as many cores as this machine has of it; a virtual machine has a share of the socket.
pub(super) fn processor(name: &str, cores: u32) -> Option<DeviceConfig> {
    let Processor(part, socket_cores, base_ghz, operations, bandwidth) =
        PROCESSORS.iter().find(|known| contains_word(name, known.0))?;
    let sockets = (f64::from(cores) / socket_cores).max(1.0);
    let share = if f64::from(cores) < *socket_cores { format!(", of which {cores} cores are here") } else { String::new() };
    Some(DeviceConfig {
        peak_fp16_tflops: Some(f64::from(cores) * base_ghz * operations / 1000.0),
        memory_bandwidth_gbps: Some(bandwidth * sockets),
        source: Some(format!("datasheet: {}, {socket_cores} cores at {base_ghz} GHz a socket{share}", part.replace("(R)", ""))),
        ..DeviceConfig::default()
    })
}

/// Whether a name contains a part that no further letter or digit follows, so that an `L40S` is no `L4`.
fn contains_word(name: &str, part: &str) -> bool {
    name.match_indices(part).any(|(at, _)| {
        let before = name[..at].chars().next_back();
        let after = name[at + part.len()..].chars().next();
        // A CPU's suffix (8480+, 8480C) does not change what the table says of it.
        let ends = part.starts_with("Xeon") || !after.is_some_and(char::is_alphanumeric);
        ends && !before.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(name: &str) -> Option<f64> {
        accelerator(name).and_then(|config| config.peak_fp16_tflops)
    }

    #[test]
    fn accelerators_are_told_apart() {
        assert_eq!(peak("NVIDIA H100 80GB HBM3"), Some(989.4));
        assert_eq!(peak("NVIDIA H100 PCIe"), Some(756.0));
        assert_eq!(peak("NVIDIA L4"), Some(121.0));
        assert_eq!(peak("NVIDIA L40S"), Some(362.1));
        assert_eq!(peak("NVIDIA L40"), Some(181.1));
        assert_eq!(peak("NVIDIA A10"), Some(125.0));
        assert_eq!(peak("NVIDIA A100-SXM4-80GB"), Some(312.0));
        assert_eq!(peak("NVIDIA GeForce RTX 4090"), Some(165.2));
        assert_eq!(peak("NVIDIA GB200"), Some(2500.0));
        assert_eq!(peak("Tesla T4"), Some(65.0));
        assert_eq!(peak("NVIDIA T400 4GB"), None);
    }

    #[test]
    fn a_label_names_the_same_accelerator_as_its_driver() {
        let bandwidth = |name: &str| accelerator(name).and_then(|config| config.memory_bandwidth_gbps);
        assert_eq!(bandwidth("NVIDIA A100-SXM4-80GB"), Some(2039.0));
        assert_eq!(bandwidth("NVIDIA A100 SXM4 80GB"), Some(2039.0));
    }

    #[test]
    fn a_processor_counts_by_its_cores() {
        let two_sockets = processor("Intel(R) Xeon(R) Platinum 8480+", 112).unwrap();
        assert!((two_sockets.peak_fp16_tflops.unwrap() - 458.752).abs() < 1e-9);
        assert!((two_sockets.memory_bandwidth_gbps.unwrap() - 614.4).abs() < 1e-9);
        let share = processor("Intel(R) Xeon(R) Platinum 8480C", 8).unwrap();
        assert!(share.source.unwrap().ends_with("of which 8 cores are here"));
        assert_eq!(processor("Intel(R) Xeon(R) Processor", 8), None);
    }
}
