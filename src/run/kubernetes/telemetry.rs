//! Samples what the nodes under test and their devices do while the load goes on, from outside: each source at its own pace, with its
//! own time where it tells one. A portal that is away leaves a gap; another one goes on. Looking at the run never waits for it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dyno_kubernetes::objects::RunName;
use dyno_kubernetes::{ApiError, Connection, Exporter, NodeLoad, SampledNode};
use dyno_pod::client::LoadPodClient;
use futures::future::join_all;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::document::RunDocument;
use super::transport::PodProxy;
use crate::domain::inventory::DeviceType;
use dyno_measure::telemetry::dcgm::{self, DcgmDevice};
use dyno_measure::telemetry::{DeviceReading, Levels, Reading, SampleContent, TelemetrySample, TelemetrySource};

/// Between two questions: sources have something new more rarely, and this is how late that is seen.
const POLL: Duration = Duration::from_secs(5);
/// A source that has not answered by then is asked again at the next time.
const ANSWER: Duration = Duration::from_secs(4);
/// After so many questions, exporters and clocks are looked for again.
const LOOK_AGAIN: u32 = 12;
/// How often a kubelet measures its node, ms.
const KUBELET_PACE_MS: u32 = 10_000;
/// How often a metrics server asks the kubelets, ms: between 15 s and a minute.
const METRICS_SERVER_PACE_MS: u32 = 30_000;
/// How often an exporter collects by default; what is seen to change more often is collected more often.
const EXPORTER_PACE: Duration = Duration::from_secs(30);

/// Samples on their way to the store, and the task that brings them. It ends with this.
#[derive(Debug)]
pub(super) struct Sampling {
    pub run: Uuid,
    samples: Arc<Mutex<Vec<TelemetrySample>>>,
    task: JoinHandle<()>,
}

impl Drop for Sampling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sampling {
    /// Begins to sample the nodes of a run.
    pub(super) fn begin(
        run: Uuid,
        connection: &Connection,
        name: &RunName,
        document: &RunDocument,
        load: LoadPodClient<PodProxy>,
    ) -> Self {
        let execution = &document.execution;
        let mut hostnames: Vec<String> = execution.engines.iter().map(|engine| engine.node.clone()).collect();
        if hostnames.is_empty() {
            // A provider is called from here: the node that may be too busy is this one.
            hostnames.push(document.load.node.clone());
        }
        hostnames.sort_unstable();
        hostnames.dedup();
        let is_nvidia = |kind: Option<DeviceType>| kind.is_none_or(|kind| kind == DeviceType::Cuda);
        let samples = Arc::new(Mutex::default());
        let mut work = ClusterSampler {
            connection: connection.clone(),
            load,
            hostnames,
            accelerated: execution.engines.iter().filter(|e| is_nvidia(e.device_type)).map(|e| e.node.clone()).collect(),
            namespace: name.namespace.clone(),
            engines: document.engines.iter().map(|engine| name.engine(engine.index)).collect(),
            nodes: Vec::new(),
            exporters: Vec::new(),
            clock_offset_ns: None,
            without_kubelet: BTreeMap::new(),
            told: Arc::clone(&samples),
            last: BTreeMap::new(),
            failed: HashSet::new(),
            exported: BTreeMap::new(),
        };
        let task = tokio::spawn(async move {
            let mut poll = tokio::time::interval(POLL);
            poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            for round in 0_u32.. {
                poll.tick().await;
                if round % LOOK_AGAIN == 0 || work.nodes.is_empty() {
                    work.look_around().await;
                }
                work.sample().await;
            }
        });
        Self { run, samples, task }
    }

    /// What came since the last time.
    pub(super) fn take(&self) -> Vec<TelemetrySample> {
        std::mem::take(&mut self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An exporter's answers so far: it tells no times, and the same until it has collected again.
#[derive(Debug, Default)]
struct Exported {
    /// The last answer that was taken for a new one, and when it was seen.
    last: Option<(u64, Instant)>,
    /// Whether the one before it was another: then the time at which it was collected is known.
    is_change: bool,
    /// The shortest time from one change to the next.
    pace: Option<Duration>,
}

/// A new answer of an exporter.
#[derive(Debug, PartialEq, Eq)]
struct NewReading {
    pace: Duration,
    /// Then it may have been collected long before.
    is_first: bool,
}

impl Exported {
    /// Whether an answer is new: another than the last, or the last was seen so long ago that the device is idle.
    fn see(&mut self, text: &str, now: Instant) -> Option<NewReading> {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let digest = hasher.finish();
        let last = self.last;
        if last.is_some_and(|(known, since)| known == digest && now - since < EXPORTER_PACE) {
            return None;
        }
        let is_change = last.is_some_and(|(known, _)| known != digest);
        if let (true, true, Some((_, since))) = (is_change, self.is_change, last) {
            let time = (now - since).max(POLL);
            self.pace = Some(self.pace.map_or(time, |pace| pace.min(time)));
        }
        self.is_change = is_change;
        self.last = Some((digest, now));
        Some(NewReading { pace: self.pace.unwrap_or(EXPORTER_PACE).min(EXPORTER_PACE), is_first: last.is_none() })
    }
}

struct ClusterSampler {
    connection: Connection,
    load: LoadPodClient<PodProxy>,
    hostnames: Vec<String>,
    /// Nodes on which NVIDIA's accelerators serve.
    accelerated: HashSet<String>,
    namespace: String,
    /// Names of the engines' pods.
    engines: HashSet<String>,
    nodes: Vec<SampledNode>,
    exporters: Vec<Exporter>,
    /// By how much the load's clock is ahead of the portal's.
    clock_offset_ns: Option<i64>,
    /// Nodes whose kubelet may not be asked, and why.
    without_kubelet: BTreeMap<String, String>,
    told: Arc<Mutex<Vec<TelemetrySample>>>,
    /// The time of each source's last sample.
    last: BTreeMap<(String, TelemetrySource), i64>,
    failed: HashSet<(String, TelemetrySource)>,
    exported: BTreeMap<String, Exported>,
}

/// What a metrics server said of all nodes, by name.
enum MetricsServer {
    Answered(Vec<(String, NodeLoad)>),
    /// The cluster has none.
    Absent,
    /// It was not asked, or did not answer.
    Silent,
}

/// What one node's sources answered.
struct Answers {
    node: SampledNode,
    usage: Option<Result<Option<NodeLoad>, ApiError>>,
    exported: Option<Result<String, String>>,
}

impl ClusterSampler {
    /// Finds nodes and exporters, and compares clocks.
    async fn look_around(&mut self) {
        if self.nodes.is_empty()
            && let Ok(Ok(nodes)) = tokio::time::timeout(ANSWER, self.connection.sampled_nodes(&self.hostnames)).await
        {
            self.nodes = nodes;
        }
        if !self.accelerated.is_empty()
            && let Ok(Ok(exporters)) = tokio::time::timeout(ANSWER, self.connection.exporters()).await
        {
            self.exporters = exporters;
        }
        let asked = now_ns();
        if let Ok(Ok(status)) = tokio::time::timeout(ANSWER, self.load.status()).await
            && let Some(clock) = status.clock_unix_ns
        {
            self.clock_offset_ns = Some(clock - asked.midpoint(now_ns()));
        }
    }

    async fn sample(&mut self) {
        let this = &*self;
        let asked = join_all(this.nodes.iter().map(|node| this.ask(node.clone())));
        let server = async {
            if this.without_kubelet.is_empty() {
                return MetricsServer::Silent;
            }
            match tokio::time::timeout(ANSWER, this.connection.metrics_server()).await {
                Ok(Ok(Some(loads))) => MetricsServer::Answered(loads),
                Ok(Ok(None)) => MetricsServer::Absent,
                Ok(Err(_)) | Err(_) => MetricsServer::Silent,
            }
        };
        let (answers, server) = tokio::join!(asked, server);
        for Answers { node, usage, exported } in answers {
            match usage {
                Some(Ok(Some(load))) => self.node_load(&node, TelemetrySource::Kubelet, KUBELET_PACE_MS, load),
                // It has not measured yet.
                Some(Ok(None)) => {}
                Some(Err(error @ ApiError::Forbidden(_))) => {
                    self.without_kubelet.insert(node.name.clone(), error.to_string());
                }
                Some(Err(error)) => self.failed(&node.hostname, TelemetrySource::Kubelet, error.to_string()),
                None => self.of_server(&node, &server),
            }
            match exported {
                Some(Ok(text)) => self.exported(&node.hostname, &text),
                Some(Err(reason)) => self.failed(&node.hostname, TelemetrySource::DcgmExporter, reason),
                None => {}
            }
        }
    }

    async fn ask(&self, node: SampledNode) -> Answers {
        let usage = async {
            if self.without_kubelet.contains_key(&node.name) {
                return None;
            }
            let asked = tokio::time::timeout(ANSWER, self.connection.kubelet_summary(&node.name)).await;
            Some(asked.unwrap_or_else(|_| Err(ApiError::Refused("the kubelet did not answer in time".to_owned()))))
        };
        let exported = async {
            if !self.accelerated.contains(&node.hostname) {
                return None;
            }
            let Some(exporter) = self.exporters.iter().find(|exporter| exporter.node == node.name) else {
                return Some(Err(
                    "No DCGM exporter was found on the node: use, memory, power and temperature of its accelerators are not known."
                        .to_owned(),
                ));
            };
            Some(match tokio::time::timeout(ANSWER, self.connection.exported(exporter)).await {
                Ok(Ok(text)) => Ok(text),
                Ok(Err(error)) => Err(format!("The DCGM exporter could not be read: {error}")),
                Err(_) => Err("The DCGM exporter did not answer in time.".to_owned()),
            })
        };
        let (usage, exported) = tokio::join!(usage, exported);
        Answers { node, usage, exported }
    }

    /// Of a node whose kubelet may not be asked.
    fn of_server(&mut self, node: &SampledNode, server: &MetricsServer) {
        let load = match server {
            MetricsServer::Answered(all) => all.iter().find(|(name, _)| *name == node.name).map(|(_, load)| *load),
            MetricsServer::Absent => {
                let why = self.without_kubelet.get(&node.name).cloned().unwrap_or_default();
                let reason =
                    format!("CPU and memory are not known: no metrics server answers, and of the kubelet is said: {why}");
                return self.failed(&node.hostname, TelemetrySource::MetricsServer, reason);
            }
            MetricsServer::Silent => {
                return self.failed(
                    &node.hostname,
                    TelemetrySource::MetricsServer,
                    "The metrics server did not answer.".to_owned(),
                );
            }
        };
        if let Some(load) = load {
            self.node_load(node, TelemetrySource::MetricsServer, METRICS_SERVER_PACE_MS, load);
        }
    }

    fn node_load(&mut self, node: &SampledNode, source: TelemetrySource, pace_ms: u32, load: NodeLoad) {
        let cpu = load.cores.map(|cores| (cores / node.cores.max(f64::MIN_POSITIVE) * 100.0).clamp(0.0, 100.0));
        let levels = Levels { cpu_percent: cpu, memory_used_bytes: load.memory_bytes, ..Levels::default() };
        self.reading(&node.hostname, source, load.at_unix_ns, Reading { pace_ms, levels, ..Reading::default() });
    }

    fn exported(&mut self, hostname: &str, text: &str) {
        let seen = self.exported.entry(hostname.to_owned()).or_default().see(text, Instant::now());
        let Some(NewReading { pace, is_first }) = seen else {
            self.failed.remove(&(hostname.to_owned(), TelemetrySource::DcgmExporter));
            return;
        };
        let mut devices = readings(dcgm::devices(text), &self.namespace, &self.engines);
        if devices.is_empty() {
            return self.failed(hostname, TelemetrySource::DcgmExporter, "The DCGM exporter tells of no device.".to_owned());
        }
        if is_first {
            // A counter of a time that is not known makes a wrong difference.
            devices.iter_mut().for_each(|device| device.energy_counter_j = None);
        }
        let reading = Reading {
            pace_ms: u32::try_from(pace.as_millis()).unwrap_or(u32::MAX),
            devices,
            clock_offset_ms: self.clock_offset_ns.map(|offset| offset as f64 / 1e6),
            ..Reading::default()
        };
        let at = now_ns() + self.clock_offset_ns.unwrap_or_default();
        self.reading(hostname, TelemetrySource::DcgmExporter, at, reading);
    }

    fn reading(&mut self, hostname: &str, source: TelemetrySource, at_unix_ns: i64, reading: Reading) {
        let key = (hostname.to_owned(), source);
        self.failed.remove(&key);
        let last = self.last.entry(key).or_insert(i64::MIN);
        if at_unix_ns > *last {
            *last = at_unix_ns;
            self.tell(TelemetrySample::new(at_unix_ns, hostname, source, SampleContent::Reading(reading)));
        }
    }

    fn failed(&mut self, hostname: &str, source: TelemetrySource, reason: String) {
        if self.failed.insert((hostname.to_owned(), source)) {
            let at = now_ns() + self.clock_offset_ns.unwrap_or_default();
            self.tell(TelemetrySample::new(at, hostname, source, SampleContent::Failure { reason }));
        }
    }

    fn tell(&self, sample: TelemetrySample) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}

/// Devices, and whether each serves the run: known where the exporter says which pods have its devices.
fn readings(devices: Vec<DcgmDevice>, namespace: &str, engines: &HashSet<String>) -> Vec<DeviceReading> {
    let maps_pods = devices.iter().any(|device| !device.pods.is_empty());
    let of = |device: DcgmDevice| {
        let serves = device.pods.iter().any(|(own, pod)| own == namespace && engines.contains(pod));
        DeviceReading { serves: maps_pods.then_some(serves), ..device.reading }
    };
    devices.into_iter().map(of).collect()
}

fn now_ns() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_new_when_it_has_changed_and_changes_show_the_pace() {
        let mut exported = Exported::default();
        let begun = Instant::now();
        let mut at = |seconds: u64, text: &str| exported.see(text, begun + Duration::from_secs(seconds));
        let seen = |pace_s: u64, is_first| Some(NewReading { pace: Duration::from_secs(pace_s), is_first });
        assert_eq!(at(0, "a"), seen(30, true));
        assert_eq!(at(5, "a"), None);
        assert_eq!(at(7, "b"), seen(30, false), "nobody knows when the first was collected");
        assert_eq!(at(15, "b"), None);
        assert_eq!(at(22, "c"), seen(15, false));
        assert_eq!(at(51, "c"), None);
        assert_eq!(at(52, "c"), seen(15, false), "a device at rest is measured all the same");
        assert_eq!(at(54, "d"), seen(15, false), "and no change is none of a pace");
    }

    #[test]
    fn which_devices_serve_is_known_where_the_exporter_maps_pods() {
        let device = |id: &str, pods: &[(&str, &str)]| DcgmDevice {
            reading: DeviceReading { id: id.to_owned(), ..DeviceReading::default() },
            pods: pods.iter().map(|(namespace, pod)| ((*namespace).to_owned(), (*pod).to_owned())).collect(),
            ..DcgmDevice::default()
        };
        let engines = HashSet::from(["dyno-run-1-engine-0".to_owned()]);
        let serves = |devices| readings(devices, "dyno", &engines).into_iter().map(|device| device.serves).collect::<Vec<_>>();
        let mapped = vec![
            device("a", &[("dyno", "dyno-run-1-engine-0")]),
            device("b", &[("other", "dyno-run-1-engine-0")]),
            device("c", &[]),
        ];
        assert_eq!(serves(mapped), [Some(true), Some(false), Some(false)]);
        assert_eq!(serves(vec![device("a", &[]), device("b", &[])]), [None, None]);
    }
}
