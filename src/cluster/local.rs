//! The portal's own machine as a cluster of one node.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nvml_wrapper::Nvml;
use procfs::{CpuInfo, Current as _};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, System};

use super::cpu::{self, CpuFacts};
use super::{ClusterError, Driver, gpu};
use crate::domain::inventory::{Device, DeviceInfo, DeviceType, Node, NodeUsage};

/// CPU use is measured between two readings: at least this far apart, so that it means something …
const SHORTEST_WINDOW: Duration = Duration::from_millis(250);
/// … and at most this far, so that it is of now.
const LONGEST_WINDOW: Duration = Duration::from_secs(15);

/// Reads this machine, each time it is asked. Nothing runs in between, so that no measurement is disturbed.
#[derive(Debug, Clone, Default)]
pub struct Local {
    reader: Arc<Mutex<Option<MachineReader>>>,
}

#[derive(Debug)]
struct MachineReader {
    system: System,
    facts: CpuFacts,
    /// Absent where there is no NVIDIA driver.
    gpus: Option<Nvml>,
    logical: u32,
    read_at: Instant,
    cpu_percent: Option<f64>,
}

#[async_trait]
impl Driver for Local {
    async fn nodes(&self, _runs: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError> {
        let reader = Arc::clone(&self.reader);
        // Reading takes milliseconds, and sometimes a quarter of a second of waiting.
        let read = tokio::task::spawn_blocking(move || {
            let mut slot = reader.lock().unwrap_or_else(PoisonError::into_inner);
            let reader = match slot.take() {
                Some(reader) => reader,
                None => MachineReader::new()?,
            };
            Ok(slot.insert(reader).node())
        });
        match read.await {
            Ok(node) => node.map(|node| vec![node]),
            Err(error) => Err(ClusterError::Unreachable(error.to_string())),
        }
    }

    async fn reach(&self) -> Result<(), ClusterError> {
        Ok(())
    }
}

impl MachineReader {
    fn new() -> Result<Self, ClusterError> {
        let mut system = System::new().map_err(|error| ClusterError::Unreachable(error.to_string()))?;
        system.refresh_cpu_list(CpuRefreshKind::everything());
        let logical = usable_threads(system.cpus().len());
        let physical = System::physical_core_count().ok().and_then(|count| u32::try_from(count).ok()).unwrap_or(logical);
        let first = system.cpus().first();
        let facts = CpuFacts {
            name: first.map(|cpu| name_of(cpu.brand(), cpu.vendor_id())).unwrap_or_default(),
            physical: physical.min(logical).max(1),
            mhz: first.map(sysinfo::Cpu::frequency).unwrap_or_default(),
            flags: CpuInfo::current().map(|info| cpu::flags_of(&info)).unwrap_or_default(),
        };
        Ok(Self { system, facts, gpus: gpu::driver(), logical, read_at: Instant::now(), cpu_percent: None })
    }

    fn node(&mut self) -> Node {
        let cpu_percent = self.cpu_percent();
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        // In a container its own limit counts, not the machine's memory.
        let (total, available) = match self.system.cgroup_limits() {
            Some(limits) if limits.total_memory > 0 && limits.total_memory < self.system.total_memory() => {
                (limits.total_memory, limits.free_memory.min(self.system.available_memory()))
            }
            _ => (self.system.total_memory(), self.system.available_memory()),
        };
        let cpu = Device {
            name: self.facts.name.clone(),
            kind: DeviceType::Cpu,
            device_info: DeviceInfo {
                num_virtual_cores: Some(self.logical),
                num_physical_cores: Some(self.facts.physical),
                memory_bytes: Some(total),
                memory_used_bytes: Some(total.saturating_sub(available)),
                utilization_percent: Some(cpu_percent),
                ..DeviceInfo::default()
            },
            device_config: self.facts.peak(),
            available_count: 1,
        };
        let mut devices = vec![cpu];
        devices.extend(self.gpus.as_ref().map(gpu::devices).unwrap_or_default());
        Node {
            hostname: hostname(),
            status: "Ready".to_owned(),
            devices,
            usage: Some(NodeUsage {
                cpu_percent,
                load_1m: System::load_average().map(|load| load.one).ok(),
                memory_total_bytes: total,
                memory_available_bytes: available,
            }),
            requests: None,
            system: system_in_words(),
        }
    }

    /// Share of all cores at work since the last reading, which is made now where there is none of use.
    fn cpu_percent(&mut self) -> f64 {
        let age = self.read_at.elapsed();
        if let Some(percent) = self.cpu_percent
            && age < SHORTEST_WINDOW
        {
            return percent;
        }
        if self.cpu_percent.is_none() || age > LONGEST_WINDOW {
            self.system.refresh_cpu_usage();
            std::thread::sleep(SHORTEST_WINDOW);
        }
        self.system.refresh_cpu_usage();
        self.read_at = Instant::now();
        let percent = (f64::from(self.system.global_cpu_usage()) * 10.0).round() / 10.0;
        *self.cpu_percent.insert(percent.clamp(0.0, 100.0))
    }
}

/// Threads that this process may use: what a container's quota or an affinity leaves of the machine's.
fn usable_threads(machine: usize) -> u32 {
    let usable = std::thread::available_parallelism().map_or(machine, std::num::NonZero::get);
    let threads = if machine == 0 { usable } else { usable.min(machine) };
    u32::try_from(threads).unwrap_or(u32::MAX).max(1)
}

fn name_of(brand: &str, vendor: &str) -> String {
    let brand = brand.trim();
    if brand.is_empty() { format!("{vendor} CPU").trim().to_owned() } else { brand.to_owned() }
}

/// The machine's name, as steps of a workflow name it.
fn hostname() -> String {
    System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

fn system_in_words() -> Option<String> {
    let system = System::long_os_version().ok()?;
    Some(match System::kernel_version() {
        Ok(kernel) => format!("{system}, kernel {kernel}"),
        Err(_) => system,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_is_one_ready_node() {
        let local = Local::default();
        let nodes = local.nodes(&BTreeSet::new()).await.unwrap();
        assert_eq!(nodes.len(), 1);
        let node = &nodes[0];
        assert!(node.is_ready());
        assert!(!node.hostname.is_empty());
        let cpu = &node.devices[0];
        assert_eq!(cpu.kind, DeviceType::Cpu);
        assert!(!cpu.name.is_empty());
        let info = &cpu.device_info;
        assert!(info.num_virtual_cores >= info.num_physical_cores && info.num_physical_cores >= Some(1));
        assert!(cpu.device_config.peak_fp16_tflops.unwrap() > 0.0);
        assert!(cpu.device_config.source.is_some());
        let usage = node.usage.as_ref().unwrap();
        assert!(usage.memory_total_bytes > usage.memory_available_bytes);
    }

    #[tokio::test]
    async fn cpu_use_is_measured() {
        let local = Local::default();
        local.nodes(&BTreeSet::new()).await.unwrap();
        // One thread at work for a while: the machine is not idle, whatever else runs on it.
        let end = Instant::now() + Duration::from_millis(600);
        let busy = std::thread::spawn(move || {
            let mut sum = 0_u64;
            while Instant::now() < end {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let nodes = local.nodes(&BTreeSet::new()).await.unwrap();
        busy.join().unwrap();
        let percent = nodes[0].usage.as_ref().unwrap().cpu_percent;
        let cores = f64::from(nodes[0].devices[0].device_info.num_virtual_cores.unwrap());
        assert!(percent > 0.3 * 100.0 / cores, "{percent} % of {cores} cores");
    }
}
