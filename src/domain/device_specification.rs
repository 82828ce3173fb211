//! What administrators state of devices: figures that no data sheet has, or has otherwise.

use dyno_measure::words::plain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::price::device_name_error;

/// The beginning of [`DeviceConfig::source`](super::inventory::DeviceConfig) where an administrator stated the figures.
pub const STATED: &str = "stated in Settings";

/// The figures of one device; of a processor, of the whole machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DeviceFigures {
    /// Dense peak at 16-bit floating point, 10¹² operations per second.
    pub peak_fp16_tflops: f64,
    /// GiB; counts where a node does not tell its device's memory.
    pub memory_gib: f64,
    /// Peak memory bandwidth, 10⁹ bytes per second.
    pub memory_bandwidth_gbps: f64,
    /// To the other devices of its node, in one direction, 10⁹ bytes per second; absent: the data sheet's, else that of PCIe 4.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_bandwidth_gbps: Option<f64>,
    /// Dense peak at 8-bit floating point, 10¹² operations per second; absent: the data sheet's, else none, so that narrower weights
    /// are reckoned at 16 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_fp8_tflops: Option<f64>,
    /// At 4-bit floating point, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_fp4_tflops: Option<f64>,
}

/// What an administrator stated of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DeviceSpecification {
    pub id: Uuid,
    /// The data sheet's name where it is known, else as it was given.
    pub device: String,
    #[serde(flatten)]
    pub figures: DeviceFigures,
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub set_at: Timestamp,
}

/// The bounds of a figure: what is beyond them is a mistake of the keyboard or of the unit.
struct Bounds {
    field: &'static str,
    what: &'static str,
    unit: &'static str,
    least: f64,
    most: f64,
}

impl Bounds {
    fn error(&self, value: f64) -> Option<(&'static str, String)> {
        let Self { field, what, unit, least, most } = self;
        let message = || format!("{what} is a number of {unit} from {} to {}.", plain(*least), plain(*most));
        // what is no number is in no range
        (!(*least..=*most).contains(&value)).then(|| (*field, message()))
    }
}

const TFLOPS: Bounds =
    Bounds { field: "peak_fp16_tflops", what: "The peak at 16 bits", unit: "TFLOPS", least: 0.01, most: 1_000_000.0 };
const MEMORY: Bounds = Bounds { field: "memory_gib", what: "Memory", unit: "GiB", least: 0.1, most: 100_000.0 };
const BANDWIDTH: Bounds =
    Bounds { field: "memory_bandwidth_gbps", what: "Memory bandwidth", unit: "GB/s", least: 1.0, most: 1_000_000.0 };
const LINK: Bounds = Bounds { field: "link_bandwidth_gbps", what: "Link bandwidth", unit: "GB/s", least: 0.1, most: 1_000_000.0 };
const TFLOPS_8: Bounds = Bounds { field: "peak_fp8_tflops", what: "The peak at 8 bits", ..TFLOPS };
const TFLOPS_4: Bounds = Bounds { field: "peak_fp4_tflops", what: "The peak at 4 bits", ..TFLOPS };

/// What is wrong with a specification, by field; whether the name means one device is looked at elsewhere.
pub fn specification_errors(device: &str, figures: &DeviceFigures) -> Vec<(&'static str, String)> {
    let name = device_name_error(device).map(|message| ("device", message));
    let found = [
        name,
        TFLOPS.error(figures.peak_fp16_tflops),
        MEMORY.error(figures.memory_gib),
        BANDWIDTH.error(figures.memory_bandwidth_gbps),
        figures.link_bandwidth_gbps.and_then(|link| LINK.error(link)),
        figures.peak_fp8_tflops.and_then(|rate| TFLOPS_8.error(rate)),
        figures.peak_fp4_tflops.and_then(|rate| TFLOPS_4.error(rate)),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(peak_fp16_tflops: f64, memory_gib: f64, memory_bandwidth_gbps: f64, link: Option<f64>) -> DeviceFigures {
        let [peak_fp8_tflops, peak_fp4_tflops] = [None; 2];
        DeviceFigures {
            peak_fp16_tflops,
            memory_gib,
            memory_bandwidth_gbps,
            link_bandwidth_gbps: link,
            peak_fp8_tflops,
            peak_fp4_tflops,
        }
    }

    #[test]
    fn figures_have_bounds() {
        let fields = |device: &str, figures: DeviceFigures| -> Vec<&str> {
            specification_errors(device, &figures).into_iter().map(|(field, _)| field).collect()
        };
        assert!(fields("Acme X1", figures(400.0, 80.0, 2_000.0, None)).is_empty());
        assert!(fields("Acme X1", figures(0.01, 0.1, 1.0, Some(0.1))).is_empty());
        assert!(fields("Acme X1", figures(1e6, 1e5, 1e6, Some(1e6))).is_empty());
        let all = ["device", "peak_fp16_tflops", "memory_gib", "memory_bandwidth_gbps", "link_bandwidth_gbps"];
        assert_eq!(fields("", figures(0.0, 0.0, 0.0, Some(0.0))), all);
        let narrow =
            DeviceFigures { peak_fp8_tflops: Some(0.0), peak_fp4_tflops: Some(f64::NAN), ..figures(400.0, 80.0, 2_000.0, None) };
        assert_eq!(fields("Acme X1", narrow), ["peak_fp8_tflops", "peak_fp4_tflops"]);
        assert_eq!(fields("a\nb", figures(f64::NAN, f64::INFINITY, -1.0, Some(f64::NAN))), all);
        assert_eq!(fields(&"x".repeat(201), figures(1.1e6, 1.1e5, 1.1e6, Some(1.1e6))), all);
    }

    #[test]
    fn the_message_says_unit_and_bounds() {
        let found = specification_errors("Acme X1", &figures(400.0, 80.0, 0.5, None));
        let message = "Memory bandwidth is a number of GB/s from 1 to 1,000,000.".to_owned();
        assert_eq!(found, [("memory_bandwidth_gbps", message)]);
    }
}
