//! This machine's NVIDIA GPUs, read over NVML. Where there is no driver there are no GPUs, and nothing fails.

use nvml_wrapper::Nvml;

use super::devices;
use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, DeviceType};

/// One GPU as the driver tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gpu {
    pub(super) name: String,
    pub(super) memory_bytes: u64,
    pub(super) memory_used_bytes: u64,
    pub(super) utilization_percent: Option<f64>,
    pub(super) uuid: Option<String>,
}

/// The driver's library, where there is one.
pub(super) fn driver() -> Option<Nvml> {
    Nvml::init().inspect_err(|error| tracing::debug!(%error, "no NVIDIA driver")).ok()
}

/// All GPUs, those of one kind as one device with a count.
pub(super) fn devices(nvml: &Nvml) -> Vec<Device> {
    let driver = nvml.sys_driver_version().ok();
    let count = nvml.device_count().unwrap_or(0);
    let gpus = (0..count).filter_map(|index| read(nvml, index)).collect();
    grouped(gpus, driver.as_deref())
}

fn read(nvml: &Nvml, index: u32) -> Option<Gpu> {
    let device = nvml.device_by_index(index).ok()?;
    let memory = device.memory_info().ok()?;
    Some(Gpu {
        name: device.name().ok()?,
        memory_bytes: memory.total,
        memory_used_bytes: memory.used,
        utilization_percent: device.utilization_rates().ok().map(|rates| f64::from(rates.gpu)),
        uuid: device.uuid().ok(),
    })
}

/// Puts GPUs of the same name and memory together. Memory in use and utilisation are those of the busiest of them.
pub(super) fn grouped(gpus: Vec<Gpu>, driver: Option<&str>) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for gpu in gpus {
        let known = devices
            .iter_mut()
            .find(|device| device.name == gpu.name && device.device_info.memory_bytes == Some(gpu.memory_bytes));
        let Some(device) = known else {
            devices.push(device(gpu, driver));
            continue;
        };
        device.available_count += 1;
        let info = &mut device.device_info;
        info.num_devices = Some(device.available_count);
        info.memory_used_bytes = info.memory_used_bytes.max(Some(gpu.memory_used_bytes));
        info.utilization_percent = match (info.utilization_percent, gpu.utilization_percent) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        info.uuid = None;
    }
    devices
}

fn device(gpu: Gpu, driver: Option<&str>) -> Device {
    let unknown = DeviceConfig { source: Some("unknown device: no figures".to_owned()), ..DeviceConfig::default() };
    Device {
        device_config: devices::accelerator(&gpu.name).unwrap_or(unknown),
        name: gpu.name,
        kind: DeviceType::Cuda,
        device_info: DeviceInfo {
            num_devices: Some(1),
            memory_bytes: Some(gpu.memory_bytes),
            memory_used_bytes: Some(gpu.memory_used_bytes),
            utilization_percent: gpu.utilization_percent,
            driver: driver.map(str::to_owned),
            uuid: gpu.uuid,
            ..DeviceInfo::default()
        },
        available_count: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str, used: u64, utilization: Option<f64>) -> Gpu {
        Gpu {
            name: name.to_owned(),
            memory_bytes: 80 << 30,
            memory_used_bytes: used,
            utilization_percent: utilization,
            uuid: Some(format!("GPU-{used}")),
        }
    }

    #[test]
    fn equal_gpus_are_one_device_with_a_count() {
        let gpus = vec![
            gpu("NVIDIA H100 80GB HBM3", 1, Some(3.0)),
            gpu("NVIDIA L4", 2, None),
            gpu("NVIDIA H100 80GB HBM3", 5, Some(1.0)),
        ];
        let devices = grouped(gpus, Some("580.1"));
        assert_eq!(devices.len(), 2);
        assert_eq!((devices[0].available_count, devices[0].device_info.num_devices), (2, Some(2)));
        assert_eq!(devices[0].device_info.memory_used_bytes, Some(5));
        assert_eq!(devices[0].device_info.utilization_percent, Some(3.0));
        assert_eq!(devices[0].device_info.uuid, None);
        assert_eq!(devices[0].device_config.peak_fp16_tflops, Some(989.4));
        assert_eq!(devices[1].device_info.uuid.as_deref(), Some("GPU-2"));
    }

    #[test]
    fn an_unknown_gpu_has_no_figures() {
        let devices = grouped(vec![gpu("NVIDIA Future 1", 0, None)], None);
        assert_eq!(devices[0].device_config.peak_fp16_tflops, None);
    }

    #[test]
    fn a_machine_without_gpus_is_no_error() {
        // Whatever the machine has: it must not fail.
        let _ = driver().as_ref().map(super::devices);
    }
}
