//! What an exporter of NVIDIA's data centre manager (dcgm-exporter) answers, as devices. Slices of a device (MIG) are devices of their
//! own; power, temperature and energy are the whole device's, and are told once however many slices it has.

use std::collections::BTreeMap;

use super::{ClockLimit, DeviceReading, Levels};
use crate::exposition::{self, Exposed};
use crate::words::one_line;

const MIB: f64 = 1_048_576.0;
/// Longest name of a device, characters; NVIDIA's have some forty.
const LONGEST_NAME: usize = 100;

/// A device, and which pod it was given to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DcgmDevice {
    pub reading: DeviceReading,
    /// Bytes in all, where free and used ones are told.
    pub memory_bytes: Option<f64>,
    /// Of a slice: its profile, such as `1g.10gb`.
    pub profile: Option<String>,
    /// Namespace and name; several where pods share the device. None where the exporter does not map pods, or nobody has it.
    pub pods: Vec<(String, String)>,
}

/// The devices of one exporter's answer, by number.
pub fn devices(text: &str) -> Vec<DcgmDevice> {
    let mut found: BTreeMap<(u32, String), DcgmDevice> = BTreeMap::new();
    let mut free: BTreeMap<(u32, String), f64> = BTreeMap::new();
    for sample in exposition::samples(text).filter(|sample| sample.name.starts_with("DCGM_FI_") && sample.value.is_finite()) {
        let label = |name: &str| sample.label(name).map(|text| one_line(&text, LONGEST_NAME));
        let Some(uuid) = label("UUID").or_else(|| label("uuid")) else { continue };
        let index = sample.label("gpu").and_then(|gpu| gpu.parse().ok()).unwrap_or(u32::MAX);
        let slice = label("GPU_I_ID");
        let of_whole = matches!(
            sample.name,
            "DCGM_FI_DEV_POWER_USAGE"
                | "DCGM_FI_DEV_GPU_TEMP"
                | "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
                | "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"
                | "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"
        );
        let id = match &slice {
            Some(slice) if !of_whole => format!("{uuid}/{slice}"),
            _ => uuid,
        };
        let key = (index, id.clone());
        let device = found.entry(key.clone()).or_default();
        device.reading.id = id;
        device.reading.index = Some(index).filter(|index| *index != u32::MAX);
        if slice.is_some() && !of_whole {
            device.profile = label("GPU_I_PROFILE");
        }
        let name = label("modelName").map(|name| match &device.profile {
            Some(profile) => format!("{name} MIG {profile}"),
            None => name,
        });
        device.reading.name = name.or(device.reading.name.take());
        if let (Some(namespace), Some(pod)) = (sample.label("namespace"), sample.label("pod"))
            && !device.pods.iter().any(|own| own.0 == namespace && own.1 == pod)
        {
            device.pods.push((namespace, pod));
        }
        if sample.name == "DCGM_FI_DEV_FB_FREE" {
            free.insert(key, sample.value * MIB);
        } else {
            take(&mut device.reading, sample);
        }
    }
    for (key, device) in &mut found {
        let used = device.reading.levels.memory_used_bytes;
        device.memory_bytes = free.get(key).zip(used).map(|(free, used)| free + used);
    }
    let told = |device: &DcgmDevice| {
        let reading = &device.reading;
        reading.levels != Levels::default() || reading.energy_counter_j.is_some() || reading.clock_limits.is_some()
    };
    found.into_values().filter(told).collect()
}

fn take(device: &mut DeviceReading, sample: Exposed<'_>) {
    let levels = &mut device.levels;
    match sample.name {
        "DCGM_FI_DEV_GPU_UTIL" => levels.utilization_percent = Some(sample.value),
        // the only use that is told of slices; of a whole device the other one has the word
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE" if levels.utilization_percent.is_none() => {
            levels.utilization_percent = Some(sample.value * 100.0);
        }
        "DCGM_FI_DEV_FB_USED" => levels.memory_used_bytes = Some(sample.value * MIB),
        "DCGM_FI_DEV_POWER_USAGE" => levels.power_w = Some(sample.value),
        "DCGM_FI_DEV_GPU_TEMP" => levels.temperature_c = Some(sample.value),
        // mJ
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION" => device.energy_counter_j = Some(sample.value / 1e3),
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS" | "DCGM_FI_DEV_CLOCKS_EVENT_REASONS" => {
            device.clock_limits = Some(ClockLimit::of_mask(sample.value as u64));
        }
        _ => {}
    }
}
