//! What the event loop is given: servers, phases, limits; and how a phase ends.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::workload::PromptId;
use dyno_measure::plan::Load;
use dyno_measure::report::Phase;

/// One server, its addresses known.
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
    /// Everything of a request before its id.
    pub head: Vec<u8>,
    /// Which of the addresses is used.
    pub chosen: usize,
    /// Whether it has ever answered.
    pub answered: bool,
    /// Connection failures since it last answered.
    pub failures: u32,
    /// Time of the first of these, monotonic ns.
    pub failing_since: i64,
    /// When it is asked again, monotonic ns.
    pub next_probe: i64,
    /// The pause before that, ns.
    pub pause: i64,
}

/// One phase of one load point.
#[derive(Debug, Clone)]
pub struct PhasePlan<'a> {
    pub load_point: u32,
    pub phase: Phase,
    /// When requests are sent.
    pub load: &'a Load,
    /// How many, at most.
    pub count: Option<u32>,
    /// Until when requests are sent, ns after the begin.
    pub duration: Option<i64>,
    /// Over how long a closed loop's first requests are spread, ns.
    pub ramp: i64,
    /// Seed of the arrivals.
    pub seed: u64,
    pub first_prompt: u64,
}

impl PhasePlan<'_> {
    /// The prompt of a request of this phase.
    pub fn prompt(&self, number: u32) -> PromptId {
        PromptId { warmup: self.phase == Phase::Warmup, number: self.first_prompt + u64::from(number) }
    }
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseEnd {
    Done,
    /// Asked to stop, or out of time.
    Stopped(String),
    /// A server is gone.
    Gone(String),
}

/// Limits of one request, ns.
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
    /// When the load ends at the latest, monotonic.
    pub deadline: Option<i64>,
}
