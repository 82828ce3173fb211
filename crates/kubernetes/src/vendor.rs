//! The makers of accelerators.

/// Who makes an accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    Nvidia,
    Amd,
    Habana,
}

impl Vendor {
    /// Of a resource that is a device, a slice of one (`nvidia.com/mig-1g.10gb`) included.
    pub(crate) fn of(resource: &str) -> Option<Self> {
        match resource {
            "nvidia.com/gpu" | "nvidia.com/gpu.shared" => Some(Self::Nvidia),
            mig if mig.starts_with("nvidia.com/mig-") => Some(Self::Nvidia),
            "amd.com/gpu" => Some(Self::Amd),
            "habana.ai/gaudi" => Some(Self::Habana),
            _ => None,
        }
    }
}
