//! Checks a plan without I/O.

use super::header::HeaderError;
use super::{Load, MOST_WORKERS, Plan, PlannedLoad, Workload, check_workers};
use crate::address::AddressError;
use crate::load::{Endpoint, LengthError, MOST_TOKENS};

/// Why a plan can't be executed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("The plan names no endpoint.")]
    NoEndpoint,
    #[error("The plan names no load point.")]
    NoLoadPoint,
    #[error("Time-outs must be greater than 0.")]
    Timeouts,
    #[error("The ramp must be between 0 and 3,600 seconds.")]
    Ramp,
    #[error("A request may be sent again 1 to 100 times.")]
    Retries,
    #[error("The largest error rate must be a share between 0 and 1.")]
    MaxErrorRate,
    #[error("The field {0} of a request is the plan's own: it can't be added.")]
    OwnField(&'static str),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("{0} must be 1 to 1,000,000 tokens.")]
    Tokens(&'static str),
    #[error("The shared prefix must be a share between 0 and 1.")]
    Prefix,
    #[error("Conversations are played turn by turn over chat and in a closed loop only.")]
    MultiTurn,
    #[error("The plan names no dataset.")]
    NoDataset,
    #[error("A trace is played as one load point of its own kind, without others.")]
    TraceWithOthers,
    #[error("Give the number of requests or the duration, not both.")]
    TwoEnds,
    #[error("At least one request must be measured.")]
    NoRequests,
    #[error("The duration must be greater than 0 and at most a week.")]
    Duration,
    #[error("The concurrency must be 1 to 100,000.")]
    Concurrency,
    #[error("The rate must be greater than 0 and at most 1,000,000 requests per second.")]
    Rate,
    #[error("The burstiness must be greater than 0.")]
    Burstiness,
    #[error("At least one request must be allowed in flight.")]
    NoneInFlight,
    #[error("A load has 1 to {MOST_WORKERS} workers.")]
    Workers,
    #[error("{workers} workers need as many requests in flight, and the load has {in_flight} at most.")]
    MoreWorkersThanStreams { workers: u32, in_flight: u32 },
    #[error("The time scale must be greater than 0 and at most 1,000,000.")]
    TimeScale,
    #[error("A search finds its load points by itself: the plan must name one, with the largest load.")]
    SearchPoints,
    #[error("The load point of a search must have its largest load.")]
    SearchLoad,
    #[error("The percentile of the limits must be above 0 and below 100.")]
    Percentile,
    #[error("Latency limits must be greater than 0 ms.")]
    Limits,
    #[error("A search needs at least one latency limit.")]
    SearchWithoutLimits,
    #[error("A search can't go from {min} to {max}.")]
    SearchBounds { min: f64, max: f64 },
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Lengths(#[from] LengthError),
}

/// Request body fields that are generated from other parts of the plan.
pub(crate) const OWN_FIELDS: [&str; 6] = ["model", "messages", "prompt", "input", "max_tokens", "max_completion_tokens"];

const MOST_CONCURRENCY: u32 = 100_000;

fn check_tokens(what: &'static str, tokens: u32) -> Result<(), PlanError> {
    if (1..=MOST_TOKENS).contains(&tokens) { Ok(()) } else { Err(PlanError::Tokens(what)) }
}

impl Plan {
    /// Checks the plan without I/O.
    ///
    /// # Errors
    /// The first error found.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.endpoints.is_empty() {
            return Err(PlanError::NoEndpoint);
        }
        if self.load_points.is_empty() {
            return Err(PlanError::NoLoadPoint);
        }
        self.check_limits()?;
        if !(self.stall_timeout_s > 0.0 && self.timeout_s > 0.0) {
            return Err(PlanError::Timeouts);
        }
        if self.ramp_s.is_some_and(|ramp| !(0.0..=3600.0).contains(&ramp)) {
            return Err(PlanError::Ramp);
        }
        if self.retry_429.is_some_and(|times| !(1..=100).contains(&times)) {
            return Err(PlanError::Retries);
        }
        if self.max_error_rate.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(PlanError::MaxErrorRate);
        }
        if let Some(own) = OWN_FIELDS.iter().find(|field| self.extra_body.contains_key(**field)) {
            return Err(PlanError::OwnField(own));
        }
        for header in &self.headers {
            header.check()?;
        }
        for endpoint in &self.endpoints {
            crate::address::Address::parse(&endpoint.base_url)?;
        }
        match &self.workload {
            Workload::Synthetic { input_tokens, output_tokens, input_lengths, output_lengths, shared_prefix } => {
                for lengths in [input_lengths, output_lengths].into_iter().flatten() {
                    crate::load::LengthSampler::check(*lengths)?;
                }
                check_tokens("Input lengths", *input_tokens)?;
                check_tokens("Output limits", *output_tokens)?;
                if !(0.0..=1.0).contains(shared_prefix) {
                    return Err(PlanError::Prefix);
                }
            }
            Workload::Dataset { files, max_output_tokens, multi_turn } => {
                let is_open = self.load_points.iter().any(|point| point.load.is_open());
                if *multi_turn && (self.endpoint != Endpoint::Chat || is_open) {
                    return Err(PlanError::MultiTurn);
                }
                if files.is_empty() {
                    return Err(PlanError::NoDataset);
                }
                max_output_tokens.map_or(Ok(()), |tokens| check_tokens("Output limits", tokens))?;
            }
            Workload::Trace { max_output_tokens, .. } => {
                max_output_tokens.map_or(Ok(()), |tokens| check_tokens("Output limits", tokens))?;
            }
        }
        let traces = self.load_points.iter().filter(|point| matches!(point.load, Load::Trace { .. })).count();
        let is_trace = matches!(self.workload, Workload::Trace { .. });
        if is_trace && (traces, self.load_points.len()) != (1, 1) || !is_trace && traces > 0 {
            return Err(PlanError::TraceWithOthers);
        }
        self.load_points.iter().try_for_each(PlannedLoad::check)?;
        check_workers(self.workers, &self.load_points)
    }
}

impl PlannedLoad {
    fn check(&self) -> Result<(), PlanError> {
        if self.num_requests.is_some() && self.duration_s.is_some() {
            return Err(PlanError::TwoEnds);
        }
        if self.num_requests == Some(0) {
            return Err(PlanError::NoRequests);
        }
        if self.duration_s.is_some_and(|seconds| !(seconds > 0.0 && seconds <= 7.0 * 86_400.0)) {
            return Err(PlanError::Duration);
        }
        match self.load {
            Load::Closed { concurrency } if !(1..=MOST_CONCURRENCY).contains(&concurrency) => Err(PlanError::Concurrency),
            Load::Rate { rate, burstiness, max_in_flight, .. } => {
                if !(rate > 0.0 && rate <= 1_000_000.0) {
                    return Err(PlanError::Rate);
                }
                if !(burstiness > 0.0 && burstiness.is_finite()) {
                    return Err(PlanError::Burstiness);
                }
                if max_in_flight == 0 { Err(PlanError::NoneInFlight) } else { Ok(()) }
            }
            Load::Trace { time_scale, max_in_flight } => {
                if !(time_scale > 0.0 && time_scale <= 1_000_000.0) {
                    return Err(PlanError::TimeScale);
                }
                if max_in_flight == 0 { Err(PlanError::NoneInFlight) } else { Ok(()) }
            }
            Load::Closed { .. } => Ok(()),
        }
    }
}
