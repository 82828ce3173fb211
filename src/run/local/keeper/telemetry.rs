//! What this machine and its devices do while the load goes on: a thread of the keeper's reads `/proc` and NVML once a second, on the
//! clock that the load's records have, and appends a line for each to a file that is the portal's to read.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use procfs::{Current as _, CurrentSI as _, KernelStats, Meminfo};

use crate::cluster::gpu;
use crate::domain::inventory::DeviceType;
use crate::run::execution::EngineSpec;
use dyno_measure::telemetry::{DeviceReading, Levels, Reading, SampleContent, TelemetrySample, TelemetrySource};

const PACE: Duration = Duration::from_secs(1);

/// Tells of devices; NVML, or what stands in for it in tests.
pub(super) trait DeviceSource {
    /// All devices now.
    ///
    /// # Errors
    /// When none can be read.
    fn read(&mut self) -> Result<Vec<DeviceReading>, NvmlError>;
}

impl DeviceSource for Nvml {
    fn read(&mut self) -> Result<Vec<DeviceReading>, NvmlError> {
        gpu::readings(self)
    }
}

/// Which devices the engines were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Devices {
    /// No accelerator serves: none is read.
    None,
    /// Identities or numbers of those that serve; absent where that is not known.
    Served(Option<HashSet<String>>),
}

/// The devices of a run's engines.
pub(super) fn devices_of(engines: &[EngineSpec]) -> Devices {
    let accelerated: Vec<&EngineSpec> =
        engines.iter().filter(|engine| engine.device_type.is_none_or(|kind| kind == DeviceType::Cuda)).collect();
    if accelerated.is_empty() {
        return Devices::None;
    }
    let visible = accelerated.iter().map(|engine| engine.launch.env.get("CUDA_VISIBLE_DEVICES"));
    let named = visible.collect::<Option<Vec<&String>>>();
    let parts = |list: Vec<&String>| list.into_iter().flat_map(|own| own.split(',').map(|id| id.trim().to_owned())).collect();
    Devices::Served(named.map(parts))
}

/// The thread that samples.
#[derive(Debug)]
pub(super) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Sampler {
    /// Starts it; `node` is its name in reports.
    pub(super) fn start(path: &Path, node: &str, devices: Devices) -> io::Result<Self> {
        let mut work = MachineSampler {
            file: OpenOptions::new().create(true).append(true).open(path)?,
            node: node.to_owned(),
            cpu: cpu_ticks(),
            failed: HashSet::new(),
        };
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
            let (mut source, served) = match devices {
                Devices::None => (None, None),
                // Where there is no driver there is nothing to read, and nothing to say.
                Devices::Served(served) => (gpu::driver(), served),
            };
            let mut next = Instant::now();
            loop {
                if let Some(source) = &mut source {
                    work.devices(source, served.as_ref());
                }
                next += PACE;
                // Behind after a machine slept: no burst of readings.
                next = next.max(Instant::now());
                let over = !matches!(stopped.recv_timeout(next - Instant::now()), Err(RecvTimeoutError::Timeout));
                work.machine();
                if over {
                    if let Some(source) = &mut source {
                        work.devices(source, served.as_ref());
                    }
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Stops it after a last reading, so that counters reach over all of the load.
    pub(super) fn end(self) {
        // The thread has ended already where it broke off.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

struct MachineSampler {
    file: File,
    node: String,
    /// Ticks at work and in all, as they were read last.
    cpu: Option<(u64, u64)>,
    /// Sources that failed last: their failure is told already.
    failed: HashSet<TelemetrySource>,
}

impl MachineSampler {
    /// What the kernel says of the machine.
    fn machine(&mut self) {
        let now = cpu_ticks();
        let memory = Meminfo::current().ok();
        let levels = Levels {
            cpu_percent: self.cpu.zip(now).and_then(|(before, now)| busy_percent(before, now)),
            memory_used_bytes: memory
                .and_then(|memory| Some(memory.mem_total.saturating_sub(memory.mem_available?)))
                .map(|used| used as f64),
            ..Levels::default()
        };
        self.cpu = now;
        if levels.is_empty() {
            self.failed(TelemetrySource::Proc, "/proc could not be read.".to_owned());
        } else {
            self.told(TelemetrySource::Proc, Reading { pace_ms: pace_ms(), levels, ..Reading::default() });
        }
    }

    fn devices(&mut self, source: &mut impl DeviceSource, served: Option<&HashSet<String>>) {
        match source.read() {
            Ok(devices) if devices.is_empty() => {}
            Ok(mut devices) => {
                for device in &mut devices {
                    let number = device.index.map(|index| index.to_string());
                    device.serves =
                        served.map(|ids| ids.contains(&device.id) || number.is_some_and(|number| ids.contains(&number)));
                }
                self.told(TelemetrySource::Nvml, Reading { pace_ms: pace_ms(), devices, ..Reading::default() });
            }
            Err(error) => self.failed(TelemetrySource::Nvml, format!("NVML says: {error}.")),
        }
    }

    fn told(&mut self, source: TelemetrySource, reading: Reading) {
        self.failed.remove(&source);
        self.append(source, SampleContent::Reading(reading));
    }

    fn failed(&mut self, source: TelemetrySource, reason: String) {
        if self.failed.insert(source) {
            self.append(source, SampleContent::Failure { reason });
        }
    }

    fn append(&mut self, source: TelemetrySource, content: SampleContent) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let Ok(mut line) = serde_json::to_vec(&TelemetrySample::new(at, &self.node, source, content)) else { return };
        line.push(b'\n');
        // A full disk ends the run by its journal; here it leaves a gap, which the report says.
        let _ = self.file.write_all(&line);
    }
}

fn pace_ms() -> u32 {
    PACE.as_millis() as u32
}

/// Ticks at work and in all, over all cores, since the machine's start.
fn cpu_ticks() -> Option<(u64, u64)> {
    let total = KernelStats::current().ok()?.total;
    // guests are in user and nice already
    let busy = [Some(total.user), Some(total.nice), Some(total.system), total.irq, total.softirq, total.steal];
    let busy: u64 = busy.into_iter().flatten().sum();
    Some((busy, busy + total.idle + total.iowait.unwrap_or_default()))
}

fn busy_percent((busy, all): (u64, u64), (busy_now, all_now): (u64, u64)) -> Option<f64> {
    let ticks = all_now.checked_sub(all).filter(|ticks| *ticks > 0)?;
    let percent = busy_now.saturating_sub(busy) as f64 / ticks as f64 * 100.0;
    Some(((percent * 100.0).round() / 100.0).clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers what it was given, one after the other.
    struct Scripted(Vec<Result<Vec<DeviceReading>, NvmlError>>);

    impl DeviceSource for Scripted {
        fn read(&mut self) -> Result<Vec<DeviceReading>, NvmlError> {
            self.0.remove(0)
        }
    }

    fn lines(path: &Path) -> Vec<TelemetrySample> {
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn gpu(id: &str, index: u32) -> DeviceReading {
        DeviceReading { id: id.to_owned(), index: Some(index), energy_counter_j: Some(1.0), ..DeviceReading::default() }
    }

    #[test]
    fn this_machine_is_sampled_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let sampler = Sampler::start(&path, "n", Devices::None).unwrap();
        std::thread::sleep(Duration::from_millis(1_300));
        sampler.end();
        let told = lines(&path);
        assert_eq!(told.len(), 2, "after a second, and at the end");
        assert!(told.iter().all(|sample| sample.node == "n" && sample.source == TelemetrySource::Proc));
        let SampleContent::Reading(reading) = &told[0].content else { panic!("{told:?}") };
        assert!((0.0..=100.0).contains(&reading.levels.cpu_percent.unwrap()) && reading.levels.memory_used_bytes.unwrap() > 1e6);
    }

    #[test]
    fn devices_say_whether_they_serve_and_a_failure_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let file = File::create(&path).unwrap();
        let mut work = MachineSampler { file, node: "n".to_owned(), cpu: None, failed: HashSet::new() };
        let both = || Ok(vec![gpu("GPU-a", 0), gpu("GPU-b", 1)]);
        let mut source = Scripted(vec![both(), Err(NvmlError::GpuLost), Err(NvmlError::GpuLost), both(), Ok(Vec::new())]);
        let served = HashSet::from(["GPU-b".to_owned()]);
        for _ in 0..5 {
            work.devices(&mut source, Some(&served));
        }
        let told = lines(&path);
        let serves = |sample: &TelemetrySample| match &sample.content {
            SampleContent::Reading(reading) => reading.devices.iter().map(|device| device.serves).collect(),
            SampleContent::Failure { .. } => Vec::new(),
        };
        assert_eq!(
            told.iter().map(serves).collect::<Vec<_>>(),
            [vec![Some(false), Some(true)], vec![], vec![Some(false), Some(true)]]
        );
    }

    #[test]
    fn which_devices_serve_is_what_the_engines_see() {
        let engine = |kind: DeviceType, visible: Option<&str>| -> EngineSpec {
            let env = visible.map(|list| serde_json::json!({ "CUDA_VISIBLE_DEVICES": list })).unwrap_or(serde_json::json!({}));
            serde_json::from_value(serde_json::json!({
                "node": "n", "title": "e", "device_type": kind,
                "launch": { "argv": ["e"], "env": env, "tokenize": false, "ignore_eos": false, "startup_limit_s": 1 },
            }))
            .unwrap()
        };
        assert_eq!(devices_of(&[]), Devices::None);
        assert_eq!(devices_of(&[engine(DeviceType::Cpu, Some(""))]), Devices::None);
        assert_eq!(devices_of(&[engine(DeviceType::Cuda, None)]), Devices::Served(None));
        let both = [engine(DeviceType::Cuda, Some("GPU-a,GPU-b")), engine(DeviceType::Cuda, Some("2"))];
        let ids = ["GPU-a", "GPU-b", "2"].map(str::to_owned);
        assert_eq!(devices_of(&both), Devices::Served(Some(HashSet::from(ids))));
    }

    #[test]
    fn the_share_at_work_is_of_the_time_between() {
        assert_eq!(busy_percent((100, 1_000), (150, 1_200)), Some(25.0));
        assert_eq!(busy_percent((100, 1_000), (100, 1_000)), None, "no time has passed");
    }
}
