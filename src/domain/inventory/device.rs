//! Devices of nodes: what they are, how busy they are, and what they can do at most.

use serde::{Deserialize, Serialize};

/// The kinds of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DeviceType {
    Cpu,
    Cuda,
    Rocm,
    Hpu,
}

/// A CPU or an accelerator of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Device {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: DeviceType,
    /// What was read from it.
    pub device_info: DeviceInfo,
    /// What is known of its peak performance.
    pub device_config: DeviceConfig,
    /// How many are free.
    pub available_count: u32,
}

impl Device {
    /// How many pods of others have requested; those of the portal's own runs have ended when another run begins on the node.
    pub fn requested_by_others(&self) -> u32 {
        let info = &self.device_info;
        info.num_requested.unwrap_or(0).saturating_sub(info.num_requested_by_runs.unwrap_or(0))
    }

    /// Bytes of memory of one of them that is free, where its memory is known. What a scheduler gives to one pod alone is empty when a pod
    /// is given it, whatever its neighbours hold.
    pub fn free_memory_bytes(&self) -> Option<u64> {
        let info = &self.device_info;
        let is_given_alone = info.num_requested.is_some() && !info.is_shared;
        let used = if is_given_alone { 0 } else { info.memory_used_bytes.unwrap_or(0) };
        info.memory_bytes.map(|all| all.saturating_sub(used))
    }
}

/// What was read from a device; absent where it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct DeviceInfo {
    /// How many of this device are built in; absent: one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_devices: Option<u32>,
    /// How many of these pods have requested; absent where no pods are given devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_requested: Option<u32>,
    /// How many of the requested ones are those of the portal's own runs; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_requested_by_runs: Option<u32>,
    /// Whether several pods are given the same device, and with it its memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_shared: bool,
    /// Hardware threads of a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_virtual_cores: Option<u32>,
    /// Cores of a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_physical_cores: Option<u32>,
    /// Bytes of the device's memory; of a CPU, the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of these that are in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_used_bytes: Option<u64>,
    /// Share of time at work, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization_percent: Option<f64>,
    /// Power now, W: of all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    /// Temperature now, °C: of the hottest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The device's own identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// What is known of a device's peak performance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct DeviceConfig {
    /// Dense peak at 16-bit floating point, 10¹² operations per second.
    #[serde(rename = "peak_fp16_TFLOPS", skip_serializing_if = "Option::is_none")]
    pub peak_fp16_tflops: Option<f64>,
    /// Peak memory bandwidth, 10⁹ bytes per second.
    #[serde(rename = "memory_bandwidth_GBps", skip_serializing_if = "Option::is_none")]
    pub memory_bandwidth_gbps: Option<f64>,
    /// To the other devices of its node, in one direction, 10⁹ bytes per second, where an administrator stated it.
    #[serde(rename = "link_bandwidth_GBps", skip_serializing_if = "Option::is_none")]
    pub link_bandwidth_gbps: Option<f64>,
    /// Dense peak at 8-bit floating point, 10¹² operations per second, where an administrator stated it.
    #[serde(rename = "peak_fp8_TFLOPS", skip_serializing_if = "Option::is_none")]
    pub peak_fp8_tflops: Option<f64>,
    /// At 4-bit floating point, likewise.
    #[serde(rename = "peak_fp4_TFLOPS", skip_serializing_if = "Option::is_none")]
    pub peak_fp4_tflops: Option<f64>,
    /// Where they come from: a datasheet's name, `estimate: …`, or `stated in Settings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
