//! What nodes and their devices did while a load ran: samples as their sources gave them, and their summary in a report.

pub mod dcgm;
mod figures;
mod report;
mod steps;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use figures::attach;
pub use report::{
    ClockLimitShare, DeviceTelemetry, EnergyUse, NodeTelemetry, SourceFacts, TelemetryGap, TelemetryPoint, TimeWindow,
};

/// The schema of the samples that this program writes.
pub const SCHEMA_VERSION: u32 = 1;

/// A source's reading of a node at one moment. Kept and exported as it is; fields of a later version are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TelemetrySample {
    /// The schema of the line.
    #[serde(default = "first_schema")]
    pub v: u32,
    /// When it was so: the source's own time where it has one (of `kubelet` and `metrics_server` by the node's clock), else when it was
    /// read. Unix ns.
    pub at_unix_ns: i64,
    pub node: String,
    pub source: TelemetrySource,
    #[serde(flatten)]
    pub content: SampleContent,
}

impl TelemetrySample {
    pub fn new(at_unix_ns: i64, node: &str, source: TelemetrySource, content: SampleContent) -> Self {
        Self { v: SCHEMA_VERSION, at_unix_ns, node: node.to_owned(), source, content }
    }
}

fn first_schema() -> u32 {
    1
}

/// Where a sample comes from. Times of `kubelet` and `metrics_server` are by the node's own clock: how far that is off the load's is not
/// known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TelemetrySource {
    /// The kernel of the node, `/proc`.
    Proc,
    /// NVIDIA's driver, on the node itself.
    Nvml,
    /// The summary of a Kubernetes node's kubelet.
    Kubelet,
    /// A Kubernetes metrics server.
    MetricsServer,
    /// An exporter of NVIDIA's data centre manager on a Kubernetes node.
    DcgmExporter,
}

impl TelemetrySource {
    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proc => "proc",
            Self::Nvml => "nvml",
            Self::Kubelet => "kubelet",
            Self::MetricsServer => "metrics_server",
            Self::DcgmExporter => "dcgm_exporter",
        }
    }

    /// Whose clock its times are by. `clock_offset_ms`: by how much they were moved to the load's.
    pub fn clock(self, clock_offset_ms: Option<f64>) -> SourceClock {
        match self {
            // They are read where the load runs.
            Self::Proc | Self::Nvml => SourceClock::Load,
            Self::Kubelet | Self::MetricsServer => SourceClock::Node,
            Self::DcgmExporter if clock_offset_ms.is_some() => SourceClock::Load,
            Self::DcgmExporter => SourceClock::Portal,
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Proc => "/proc",
            Self::Nvml => "NVML",
            Self::Kubelet => "the kubelet's summary",
            Self::MetricsServer => "the metrics server",
            Self::DcgmExporter => "the DCGM exporter",
        }
    }
}

/// The clock that times of samples are by. How far another than the load's is off is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceClock {
    /// The load's, or moved to it.
    Load,
    /// The sampled node's own.
    Node,
    /// Of the portal that read them.
    Portal,
}

impl SourceClock {
    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Node => "node",
            Self::Portal => "portal",
        }
    }

    /// What is not known of times by it; absent of the load's own.
    pub fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Load => None,
            Self::Node => Some("times by the node's own clock: how far that is off the load's is not known"),
            Self::Portal => Some("times by the portal's clock: how far that is off the load's is not known"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SampleContent {
    Reading(Reading),
    /// The source does not answer, or not any more. SampleContent once, until it answers again.
    Failure {
        /// A sentence for people.
        reason: String,
    },
}

/// A node at one moment, as far as its source knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reading {
    /// How often the source has something new, ms: a reading stands for the time since the one before, but not for much more than this.
    pub pace_ms: u32,
    /// Of the node itself.
    #[serde(flatten)]
    pub levels: Levels,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceReading>,
    /// By how much the load's clock is ahead of the one that the time was taken from; the time has it already. Absent where both are the
    /// same clock, or where the source has a clock of its own, which is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<f64>,
}

/// A device at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceReading {
    /// The device's own identity; of a slice of a device, with the slice's.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its number on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Whether it serves the run's engines; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<bool>,
    #[serde(flatten)]
    pub levels: Levels,
    /// The device's own counter of energy, J: only differences mean something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_counter_j: Option<f64>,
    /// Why its clocks are limited; absent where it does not say, empty where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_limits: Option<Vec<ClockLimit>>,
}

/// Quantities of a node or a device. Absent is not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Levels {
    /// Share of all cores of the node at work, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Share of time in which the device was at work, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization_percent: Option<f64>,
    /// Bytes of memory in use: the node's, or the device's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_used_bytes: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
}

/// One of the quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    CpuPercent,
    UtilizationPercent,
    MemoryUsedBytes,
    PowerW,
    TemperatureC,
}

impl Quantity {
    pub const ALL: [Self; 5] =
        [Self::CpuPercent, Self::UtilizationPercent, Self::MemoryUsedBytes, Self::PowerW, Self::TemperatureC];
}

impl Levels {
    pub fn get(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::CpuPercent => self.cpu_percent,
            Quantity::UtilizationPercent => self.utilization_percent,
            Quantity::MemoryUsedBytes => self.memory_used_bytes,
            Quantity::PowerW => self.power_w,
            Quantity::TemperatureC => self.temperature_c,
        }
    }

    pub fn set(&mut self, quantity: Quantity, value: Option<f64>) {
        let slot = match quantity {
            Quantity::CpuPercent => &mut self.cpu_percent,
            Quantity::UtilizationPercent => &mut self.utilization_percent,
            Quantity::MemoryUsedBytes => &mut self.memory_used_bytes,
            Quantity::PowerW => &mut self.power_w,
            Quantity::TemperatureC => &mut self.temperature_c,
        };
        *slot = value.filter(|value| value.is_finite());
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a device's clocks are lower than they could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClockLimit {
    /// The device has nothing to do.
    Idle,
    /// Clocks that an administrator set.
    SetClocks,
    /// Held back by the power limit.
    PowerCap,
    /// The hardware slows down: heat, power brake or too much current.
    HardwareSlowdown,
    /// In step with other devices.
    SyncBoost,
    /// Heat, by the driver's decision.
    Heat,
    /// Heat, by the hardware's decision.
    HardwareHeat,
    /// An external power brake.
    PowerBrake,
    /// Clocks of a display.
    DisplayClocks,
}

impl ClockLimit {
    /// In the order of their bits in NVML and in DCGM, which are the same.
    const BITS: [Self; 9] = [
        Self::Idle,
        Self::SetClocks,
        Self::PowerCap,
        Self::HardwareSlowdown,
        Self::SyncBoost,
        Self::Heat,
        Self::HardwareHeat,
        Self::PowerBrake,
        Self::DisplayClocks,
    ];

    /// The reasons in a mask of NVML's or of DCGM's; bits that are not known are passed over.
    pub fn of_mask(mask: u64) -> Vec<Self> {
        let bits = Self::BITS.into_iter().enumerate();
        bits.filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, limit)| limit).collect()
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SetClocks => "clocks set by an administrator",
            Self::PowerCap => "power limit",
            Self::HardwareSlowdown => "slowed down by the hardware",
            Self::SyncBoost => "in step with other devices",
            Self::Heat => "heat",
            Self::HardwareHeat => "heat, by the hardware",
            Self::PowerBrake => "power brake",
            Self::DisplayClocks => "display clocks",
        }
    }
}
