//! Data-sheet values of common devices. Arithmetic rates are dense; consumer cards' with 32-bit accumulation, as engines use them.

use super::{Generation, SimulatedDevice};

#[derive(Debug)]
pub struct Datasheet {
    pub name: &'static str,
    /// Patterns that must all occur in the device's name, as written by `names::compact`.
    pub(super) marks: &'static [&'static str],
    generation: Generation,
    memory_gib: f64,
    memory_bandwidth: f64,
    tflops: [f64; 3],
    link_bandwidth: f64,
    devices_per_node: u32,
}

impl Datasheet {
    pub fn device(&self) -> SimulatedDevice {
        let has = |rate: f64| (rate > 0.0).then_some(rate);
        SimulatedDevice {
            name: self.name.to_owned(),
            generation: self.generation,
            memory_gib: self.memory_gib,
            memory_bandwidth: self.memory_bandwidth,
            tflops_16: self.tflops[0],
            tflops_8: has(self.tflops[1]),
            tflops_4: has(self.tflops[2]),
            link_bandwidth: self.link_bandwidth,
            devices_per_node: self.devices_per_node,
        }
    }
}

const fn sheet(
    name: &'static str,
    marks: &'static [&'static str],
    generation: Generation,
    memory: (f64, f64),
    tflops: [f64; 3],
    link: (f64, u32),
) -> Datasheet {
    Datasheet {
        name,
        marks,
        generation,
        memory_gib: memory.0,
        memory_bandwidth: memory.1,
        tflops,
        link_bandwidth: link.0,
        devices_per_node: link.1,
    }
}

use Generation::{Ada, Ampere, Blackwell, Cdna3, Cpu, Gaudi, Hopper, Volta};

/// Name, marks, generation, (memory in GiB, GB/s), TFLOPS of 16, 8 and 4 bits (0: not in hardware), (link GB/s, per node).
pub const CATALOGUE: &[Datasheet] = &[
    sheet("A100-SXM-40GB", &["a100", "40gb"], Ampere, (39.6, 1555.0), [312.0, 0.0, 0.0], (300.0, 8)),
    sheet("A100-PCIe-40GB", &["a100", "pcie", "40gb"], Ampere, (39.6, 1555.0), [312.0, 0.0, 0.0], (32.0, 8)),
    sheet("A100-SXM-80GB", &["a100"], Ampere, (80.0, 2039.0), [312.0, 0.0, 0.0], (300.0, 8)),
    sheet("A100-PCIe-80GB", &["a100", "pcie"], Ampere, (80.0, 1935.0), [312.0, 0.0, 0.0], (32.0, 8)),
    sheet("A800-SXM-80GB", &["a800"], Ampere, (80.0, 2039.0), [312.0, 0.0, 0.0], (200.0, 8)),
    sheet("H100-SXM-80GB", &["h100"], Hopper, (79.6, 3350.0), [989.0, 1979.0, 0.0], (450.0, 8)),
    sheet("H100-PCIe-80GB", &["h100", "pcie"], Hopper, (79.6, 2000.0), [756.0, 1513.0, 0.0], (64.0, 8)),
    sheet("H100-NVL-94GB", &["h100", "nvl"], Hopper, (93.6, 3900.0), [835.0, 1671.0, 0.0], (300.0, 8)),
    sheet("H200-SXM-141GB", &["h200"], Hopper, (140.4, 4800.0), [989.0, 1979.0, 0.0], (450.0, 8)),
    sheet("GH200-96GB", &["gh200"], Hopper, (95.6, 4000.0), [989.0, 1979.0, 0.0], (450.0, 1)),
    sheet("H20-3e-141GB", &["h20 3e"], Hopper, (140.4, 4800.0), [148.0, 296.0, 0.0], (450.0, 8)),
    sheet("H20-96GB", &["h20"], Hopper, (95.6, 4000.0), [148.0, 296.0, 0.0], (450.0, 8)),
    sheet("B200-SXM-180GB", &["b200"], Blackwell, (179.1, 7700.0), [2250.0, 4500.0, 9000.0], (900.0, 8)),
    sheet("L4-24GB", &["l4"], Ada, (22.5, 300.0), [121.0, 242.0, 0.0], (32.0, 8)),
    sheet("L40S-48GB", &["l40s"], Ada, (45.0, 864.0), [362.0, 733.0, 0.0], (32.0, 8)),
    sheet("RTX4090-24GB", &["4090"], Ada, (24.0, 1008.0), [165.2, 330.3, 0.0], (32.0, 8)),
    sheet("RTX5090-32GB", &["5090"], Blackwell, (31.8, 1792.0), [209.5, 419.0, 1676.0], (64.0, 8)),
    sheet("RTX6000Ada-48GB", &["6000", "ada"], Ada, (48.0, 960.0), [364.2, 728.5, 0.0], (32.0, 8)),
    sheet("RTXPRO6000-96GB", &["pro6000"], Blackwell, (95.6, 1792.0), [468.0, 936.0, 1872.0], (64.0, 8)),
    sheet("RTXA6000-48GB", &["a6000"], Ampere, (48.0, 768.0), [154.8, 0.0, 0.0], (32.0, 8)),
    sheet("RTX3090-24GB", &["3090"], Ampere, (24.0, 936.0), [71.0, 0.0, 0.0], (32.0, 8)),
    sheet("V100S-32GB", &["v100s"], Volta, (32.0, 1134.0), [130.0, 0.0, 0.0], (32.0, 8)),
    sheet("MI300X-192GB", &["mi300x"], Cdna3, (192.0, 5300.0), [1307.0, 2614.0, 0.0], (448.0, 8)),
    sheet("Gaudi3-128GB", &["gaudi3"], Gaudi, (128.0, 3700.0), [1678.0, 1678.0, 0.0], (300.0, 8)),
    // Two-socket servers are two devices. Xeon: 64 cores with AMX and 8 channels of DDR5-6400; EPYC: 64 Zen 5 cores, 12 channels.
    sheet("Xeon-6767P", &["xeon"], Cpu, (512.0, 409.6), [250.0, 0.0, 0.0], (62.0, 2)),
    sheet("EPYC-9575F", &["epyc"], Cpu, (768.0, 576.0), [27.0, 0.0, 0.0], (62.0, 2)),
];
