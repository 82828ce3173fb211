//! What is known of this machine's CPU: from the table, or a stated estimate from its cores, clock and instructions.

use procfs::CpuInfo;

use super::devices;
use crate::domain::inventory::DeviceConfig;

/// What the operating system says of the CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CpuFacts {
    /// The model's name; the vendor's where there is none.
    pub(super) name: String,
    pub(super) physical: u32,
    /// Clock in MHz as the operating system says it; 0 where it doesn't.
    pub(super) mhz: u64,
    /// Instruction sets, in the operating system's words.
    pub(super) flags: Vec<String>,
}

/// The memory channels that an estimate assumes, since the operating system does not say how many are filled.
const ASSUMED_CHANNELS: f64 = 2.0;
/// The bandwidth of one such channel in GB/s: DDR4-3200, 8 bytes a transfer.
const ASSUMED_CHANNEL_GBPS: f64 = 25.6;
/// The clock that an estimate assumes where the operating system says none.
const ASSUMED_MHZ: u64 = 2000;

impl CpuFacts {
    /// Peak figures, with where they come from.
    pub(super) fn peak(&self) -> DeviceConfig {
        devices::processor(&self.name, self.physical).unwrap_or_else(|| self.estimate())
    }

    fn estimate(&self) -> DeviceConfig {
        let (operations, unit) = self.operations_per_cycle();
        let (mhz, clock) = match self.mhz {
            0 => (ASSUMED_MHZ, format!("{ASSUMED_MHZ} MHz assumed")),
            mhz => (mhz, format!("{mhz} MHz")),
        };
        let bandwidth = ASSUMED_CHANNELS * ASSUMED_CHANNEL_GBPS;
        DeviceConfig {
            peak_fp16_tflops: Some(f64::from(self.physical) * mhz as f64 * f64::from(operations) / 1e6),
            memory_bandwidth_gbps: Some(bandwidth),
            source: Some(format!(
                "estimate: {} cores × {clock} × {operations} operations a cycle ({unit}); bandwidth of {ASSUMED_CHANNELS} channels \
                 of DDR4-3200 assumed",
                self.physical
            )),
            ..DeviceConfig::default()
        }
    }

    /// 16-bit operations that a core can do a cycle, a multiplication and an addition counted as two.
    fn operations_per_cycle(&self) -> (u32, &'static str) {
        let has = |flag: &str| self.flags.iter().any(|known| known == flag);
        if has("amx_bf16") || has("amx_fp16") {
            (2048, "AMX")
        } else if has("avx512_fp16") || has("avx512_bf16") {
            (128, "AVX-512 with 16-bit arithmetic")
        } else if has("avx512f") {
            (64, "AVX-512 at 32 bits")
        } else if has("avx2") {
            (32, "AVX2 at 32 bits")
        } else if has("sve2") || has("sve") || has("asimdhp") {
            (64, "16-bit Arm vectors")
        } else {
            (8, "128-bit vectors")
        }
    }
}

/// The instruction sets of the first CPU.
pub(super) fn flags_of(info: &CpuInfo) -> Vec<String> {
    // on Arm they have another name
    let flags = ["flags", "Features"].into_iter().find_map(|field| info.get_field(0, field));
    flags.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use procfs::FromRead as _;

    use super::*;

    fn facts(flags: &[&str]) -> CpuFacts {
        CpuFacts {
            name: "Intel(R) Xeon(R) Processor".to_owned(),
            physical: 2,
            mhz: 2600,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        }
    }

    #[test]
    fn an_unknown_cpu_is_estimated_and_says_how() {
        let peak = facts(&["sse2", "avx2", "avx512f", "amx_bf16"]).peak();
        assert!((peak.peak_fp16_tflops.unwrap() - 10.6496).abs() < 1e-9);
        assert!(peak.source.unwrap().starts_with("estimate: 2 cores × 2600 MHz × 2048 operations a cycle (AMX)"));
        let peak = facts(&["sse2", "avx2"]).peak();
        assert!((peak.peak_fp16_tflops.unwrap() - 0.1664).abs() < 1e-9);
    }

    #[test]
    fn a_missing_clock_is_said_to_be_assumed() {
        let peak = CpuFacts { mhz: 0, ..facts(&["avx2"]) }.peak();
        assert!(peak.source.unwrap().contains("2000 MHz assumed"));
    }

    #[test]
    fn flags_are_read() {
        let flags = |text: &str| flags_of(&CpuInfo::from_read(text.as_bytes()).unwrap());
        let cpuinfo = "processor\t: 0\nmodel name\t: x\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\nflags\t\t: other\n";
        assert_eq!(flags(cpuinfo), ["fpu", "avx2", "amx_bf16"]);
        assert_eq!(flags("processor\t: 0\nFeatures\t: fp asimd sve2\n"), ["fp", "asimd", "sve2"]);
        assert!(flags("").is_empty());
    }
}
