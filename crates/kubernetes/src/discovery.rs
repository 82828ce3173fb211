//! What node feature discovery's labels (`feature.node.kubernetes.io/…`) say of a node's devices, where no label of a device's maker
//! names it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::vendor::Vendor;

const PREFIX: &str = "feature.node.kubernetes.io/";

/// PCI ids of maker and device, as pci.ids has them, with the name that the driver gives the device. One id of each of these devices
/// is one product with one memory; others stay unknown.
const DEVICES: [(&str, &str, &str); 22] = [
    ("10de", "1eb8", "Tesla T4"),
    ("10de", "1db1", "Tesla V100-SXM2-16GB"),
    ("10de", "1db5", "Tesla V100-SXM2-32GB"),
    ("10de", "20b0", "NVIDIA A100-SXM4-40GB"),
    ("10de", "20b2", "NVIDIA A100-SXM4-80GB"),
    ("10de", "20b5", "NVIDIA A100 80GB PCIe"),
    ("10de", "20f1", "NVIDIA A100-PCIE-40GB"),
    ("10de", "20b7", "NVIDIA A30"),
    ("10de", "2235", "NVIDIA A40"),
    ("10de", "2236", "NVIDIA A10"),
    ("10de", "2237", "NVIDIA A10G"),
    ("10de", "26b5", "NVIDIA L40"),
    ("10de", "26b9", "NVIDIA L40S"),
    ("10de", "27b8", "NVIDIA L4"),
    ("10de", "2321", "NVIDIA H100 NVL"),
    ("10de", "2330", "NVIDIA H100 80GB HBM3"),
    ("10de", "2331", "NVIDIA H100 PCIe"),
    ("10de", "2335", "NVIDIA H200"),
    ("10de", "2901", "NVIDIA B200"),
    ("1002", "740f", "AMD Instinct MI210"),
    ("1002", "74a1", "AMD Instinct MI300X"),
    ("1002", "74a5", "AMD Instinct MI325X"),
];

/// The one product of a maker that a node has, where the labels have the device's id (`pci-0302_10de_2330.present`). With the maker
/// alone (`pci-10de.present`), or several products, it stays unknown.
pub(crate) fn product(labels: &BTreeMap<String, String>, vendor: Vendor) -> Option<&'static str> {
    let maker = match vendor {
        Vendor::Nvidia => "10de",
        Vendor::Amd => "1002",
        Vendor::Habana => return None,
    };
    let present = labels.iter().filter(|(_, value)| *value == "true").filter_map(|(label, _)| {
        let ids = label.strip_prefix(PREFIX)?.strip_prefix("pci-")?.strip_suffix(".present")?;
        let mut ids = ids.split('_').skip_while(|id| *id != maker);
        ids.next()?;
        let device = ids.next()?;
        DEVICES.iter().find(|known| (known.0, known.1) == (maker, device)).map(|known| known.2)
    });
    let found: BTreeSet<&str> = present.collect();
    found.first().copied().filter(|_| found.len() == 1)
}

/// Maker, family and model of a node's processors, in words.
pub(crate) fn processor(labels: &BTreeMap<String, String>) -> Option<String> {
    let label = |name: &str| labels.get(&format!("{PREFIX}cpu-model.{name}")).filter(|value| !value.is_empty());
    let maker = label("vendor_id").filter(|maker| *maker != "VendorUnknown")?;
    Some(match (label("family"), label("id")) {
        (Some(family), Some(model)) => format!("{maker} family {family} model {model}"),
        _ => maker.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned())).collect()
    }

    #[test]
    fn a_device_has_a_name_where_its_own_id_is_known() {
        let of = |name: &str| product(&labels(&[(name, "true")]), Vendor::Nvidia);
        assert_eq!(of("pci-0302_10de_2330.present"), Some("NVIDIA H100 80GB HBM3"));
        assert_eq!(of("pci-10de_27b8.present"), Some("NVIDIA L4"));
        assert_eq!(of("pci-10de.present"), None, "the maker alone");
        assert_eq!(of("pci-0302_10de_ffff.present"), None);
        assert_eq!(of("pci-0302_10de_2330.sriov.capable"), None);
        assert_eq!(product(&labels(&[("pci-0302_10de_2330.present", "false")]), Vendor::Nvidia), None);
        let both = labels(&[("pci-0302_10de_2330.present", "true"), ("pci-0302_10de_27b8.present", "true")]);
        assert_eq!(product(&both, Vendor::Nvidia), None, "which of them a pod is given is not known");
        assert_eq!(product(&labels(&[("pci-1200_1002_74a1.present", "true")]), Vendor::Amd), Some("AMD Instinct MI300X"));
    }

    #[test]
    fn a_processor_is_told_by_maker_family_and_model() {
        let intel = [("cpu-model.vendor_id", "Intel"), ("cpu-model.family", "6"), ("cpu-model.id", "143")];
        assert_eq!(processor(&labels(&intel)).as_deref(), Some("Intel family 6 model 143"));
        assert_eq!(processor(&labels(&intel[..1])).as_deref(), Some("Intel"));
        assert_eq!(processor(&labels(&[("cpu-model.vendor_id", "VendorUnknown")])), None);
    }
}
