//! Input of the event loop: servers, phases, limits; and how a phase ends.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::workload::PromptId;
use dyno_measure::plan::{Load, Part, Shard};
use dyno_measure::redactor::Redactor;
use dyno_measure::report::Phase;
use serde::{Deserialize, Serialize};

/// A server with its resolved addresses.
#[derive(Debug)]
pub struct ServerTarget {
    /// Index of its node in the records.
    pub node: u16,
    /// Its addresses; empty when the name did not resolve.
    pub addresses: Vec<SocketAddr>,
    /// Why the name did not resolve.
    pub dns_error: Option<String>,
    /// Absent where requests go over plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The request's head up to the value of its `x-request-id`.
    pub head: Vec<u8>,
    /// Takes the head's credentials out of the server's words.
    pub redactor: Redactor,
    /// Index of the address in use.
    pub chosen: usize,
    /// Whether it has ever answered.
    pub answered: bool,
    /// Connection failures since it last answered.
    pub failures: u32,
    /// Time of the first of these, monotonic ns.
    pub failing_since: i64,
    /// When the next connection may be tried, monotonic ns.
    pub next_probe: i64,
    /// Current pause between connection attempts, ns.
    pub pause: i64,
}

/// One phase of one load point: of the whole load, of which `part` is put on.
#[derive(Debug, Clone)]
pub struct PhasePlan<'a> {
    pub load_point: u32,
    pub phase: Phase,
    /// The offered load: a concurrency, a rate or a trace.
    pub load: &'a Load,
    pub count: Option<u32>,
    /// How long requests are sent, ns.
    pub duration: Option<i64>,
    /// Over how long a closed loop's first requests are spread, ns.
    pub ramp: i64,
    /// Seed of the arrivals.
    pub seed: u64,
    pub first_prompt: u64,
    pub part: Part,
    /// When the phase begins, monotonic ns, so that several workers begin together; absent: at once.
    pub begin: Option<i64>,
}

impl PhasePlan<'_> {
    /// Which requests are this part's.
    pub fn shard(&self) -> Shard {
        match self.load {
            Load::Closed { concurrency } => Shard::closed(self.part, *concurrency),
            Load::Rate { .. } | Load::Trace { .. } => Shard::open(self.part),
        }
    }

    /// The prompt of this phase's request number `number`, counted over all parts.
    pub fn prompt(&self, number: u32) -> PromptId {
        PromptId { warmup: self.phase == Phase::Warmup, number: self.first_prompt + u64::from(number) }
    }
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", content = "reason", rename_all = "snake_case")]
pub enum PhaseEnd {
    Done,
    /// Stopped by a signal or by the plan's deadline.
    Stopped(String),
    /// A server is unreachable, or too many requests failed.
    Gone(String),
}

/// Limits of a request and of the load; times in ns.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Longest wait between two events.
    pub stall: i64,
    /// Longest time in all.
    pub total: i64,
    /// How often it is sent again after status 429.
    pub retries: u32,
    /// The error rate that ends a load.
    pub max_error_rate: Option<f64>,
    /// When the load ends at the latest, monotonic ns.
    pub deadline: Option<i64>,
}
