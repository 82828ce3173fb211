//! This machine's NVIDIA GPUs, read over NVML. Where there is no driver there are no GPUs, and nothing fails.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;

use super::devices;
use crate::domain::inventory::{Device, DeviceConfig, DeviceInfo, DeviceType};
use dyno_measure::telemetry::{ClockLimit, DeviceReading, Levels};

/// One GPU as the driver describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gpu {
    pub(super) name: String,
    pub(super) memory_bytes: u64,
    pub(super) memory_used_bytes: u64,
    pub(super) utilization_percent: Option<f64>,
    pub(super) power_w: Option<f64>,
    pub(super) temperature_c: Option<f64>,
    pub(super) uuid: Option<String>,
}

/// The driver's library, where there is one.
pub(crate) fn driver() -> Option<Nvml> {
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
        power_w: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
        temperature_c: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        uuid: device.uuid().ok(),
    })
}

/// What each GPU does at this moment.
///
/// # Errors
/// When GPUs can't be counted, or not one of them can be read.
pub(crate) fn readings(nvml: &Nvml) -> Result<Vec<DeviceReading>, NvmlError> {
    let all = (0..nvml.device_count()?).map(|index| reading(nvml, index)).collect::<Vec<_>>();
    if all.iter().all(Result::is_err) {
        return all.into_iter().collect();
    }
    Ok(all.into_iter().flatten().collect())
}

fn reading(nvml: &Nvml, index: u32) -> Result<DeviceReading, NvmlError> {
    let device = nvml.device_by_index(index)?;
    // Each is absent where the GPU does not have it.
    let levels = Levels {
        cpu_percent: None,
        utilization_percent: device.utilization_rates().ok().map(|rates| f64::from(rates.gpu)),
        memory_used_bytes: device.memory_info().ok().map(|memory| memory.used as f64),
        power_w: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
        temperature_c: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
    };
    Ok(DeviceReading {
        id: device.uuid()?,
        name: device.name().ok(),
        index: Some(index),
        serves: None,
        levels,
        energy_counter_j: device.total_energy_consumption().ok().map(|millijoules| millijoules as f64 / 1e3),
        clock_limits: device.current_throttle_reasons().ok().map(|reasons| ClockLimit::of_mask(reasons.bits())),
    })
}

/// Puts GPUs of the same name and memory together. Memory in use and utilisation are those of the busiest of them, the temperature that
/// of the hottest; the power is that of all.
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
        info.utilization_percent = devices::larger(info.utilization_percent, gpu.utilization_percent);
        info.temperature_c = devices::larger(info.temperature_c, gpu.temperature_c);
        // of a part of them it would be taken for that of all
        info.power_w = info.power_w.zip(gpu.power_w).map(|(all, own)| all + own);
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
            power_w: gpu.power_w,
            temperature_c: gpu.temperature_c,
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
            power_w: Some(100.0),
            temperature_c: utilization.map(|percent| 40.0 + percent),
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
        assert_eq!((devices[0].device_info.power_w, devices[0].device_info.temperature_c), (Some(200.0), Some(43.0)));
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
