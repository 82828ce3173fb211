//! What of a plan can be checked without asking anybody.

use super::{Load, Plan, PlannedLoad, Workload};
use crate::load::Endpoint;

/// Fields of a request's body that the plan's other parts make.
const OWN_FIELDS: [&str; 6] = ["model", "messages", "prompt", "input", "max_tokens", "max_completion_tokens"];

/// Most tokens of one request, input or output.
const MOST_TOKENS: u32 = 1_000_000;
/// Most requests in flight of a closed loop.
const MOST_CONCURRENCY: u32 = 100_000;

fn check_tokens(what: &str, tokens: u32) -> Result<(), String> {
    if (1..=MOST_TOKENS).contains(&tokens) { Ok(()) } else { Err(format!("{what} must be 1 to 1,000,000 tokens.")) }
}

impl Plan {
    /// Checks what can be checked without asking anybody.
    ///
    /// # Errors
    /// The first thing that is wrong, in words for people.
    pub fn check(&self) -> Result<(), String> {
        if self.endpoints.is_empty() {
            return Err("The plan names no endpoint.".to_owned());
        }
        if self.load_points.is_empty() {
            return Err("The plan names no load point.".to_owned());
        }
        self.check_limits()?;
        if !(self.stall_timeout_s > 0.0 && self.timeout_s > 0.0) {
            return Err("Time-outs must be greater than 0.".to_owned());
        }
        if self.ramp_s.is_some_and(|ramp| !(0.0..=3600.0).contains(&ramp)) {
            return Err("The ramp must be between 0 and 3,600 seconds.".to_owned());
        }
        if self.retry_429.is_some_and(|times| !(1..=100).contains(&times)) {
            return Err("A request may be sent again 1 to 100 times.".to_owned());
        }
        if self.max_error_rate.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err("The largest error rate must be a share between 0 and 1.".to_owned());
        }
        if let Some(own) = OWN_FIELDS.iter().find(|field| self.extra_body.contains_key(**field)) {
            return Err(format!("The field {own} of a request is the plan's own: it can't be added."));
        }
        for header in &self.headers {
            header.check().map_err(|error| error.to_string())?;
        }
        for endpoint in &self.endpoints {
            crate::address::Address::parse(&endpoint.base_url)?;
        }
        match &self.workload {
            Workload::Synthetic { input_tokens, output_tokens, input_lengths, output_lengths, shared_prefix } => {
                for lengths in [input_lengths, output_lengths].into_iter().flatten() {
                    crate::lengths::LengthSampler::check(*lengths)?;
                }
                check_tokens("Input lengths", *input_tokens)?;
                check_tokens("Output limits", *output_tokens)?;
                if !(0.0..=1.0).contains(shared_prefix) {
                    return Err("The shared prefix must be a share between 0 and 1.".to_owned());
                }
            }
            Workload::Dataset { files, max_output_tokens, multi_turn } => {
                let is_open = self.load_points.iter().any(|point| point.load.is_open());
                if *multi_turn && (self.endpoint != Endpoint::Chat || is_open) {
                    return Err("Conversations are played turn by turn over chat and in a closed loop only.".to_owned());
                }
                if files.is_empty() {
                    return Err("The plan names no dataset.".to_owned());
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
            return Err("A trace is played as one load point of its own kind, without others.".to_owned());
        }
        self.load_points.iter().try_for_each(PlannedLoad::check)
    }
}

impl PlannedLoad {
    fn check(&self) -> Result<(), String> {
        if self.num_requests.is_some() && self.duration_s.is_some() {
            return Err("Give the number of requests or the duration, not both.".to_owned());
        }
        if self.num_requests == Some(0) {
            return Err("At least one request must be measured.".to_owned());
        }
        if self.duration_s.is_some_and(|seconds| !(seconds > 0.0 && seconds <= 7.0 * 86_400.0)) {
            return Err("The duration must be greater than 0 and at most a week.".to_owned());
        }
        match self.load {
            Load::Closed { concurrency } if !(1..=MOST_CONCURRENCY).contains(&concurrency) => {
                Err("The concurrency must be 1 to 100,000.".to_owned())
            }
            Load::Rate { rate, burstiness, max_in_flight, .. } => {
                if !(rate > 0.0 && rate <= 1_000_000.0) {
                    return Err("The rate must be greater than 0 and at most 1,000,000 requests per second.".to_owned());
                }
                if !(burstiness > 0.0 && burstiness.is_finite()) {
                    return Err("The burstiness must be greater than 0.".to_owned());
                }
                if max_in_flight == 0 { Err("At least one request must be allowed in flight.".to_owned()) } else { Ok(()) }
            }
            Load::Trace { time_scale, max_in_flight } => {
                if !(time_scale > 0.0 && time_scale <= 1_000_000.0) {
                    return Err("The time scale must be greater than 0 and at most 1,000,000.".to_owned());
                }
                if max_in_flight == 0 { Err("At least one request must be allowed in flight.".to_owned()) } else { Ok(()) }
            }
            Load::Closed { .. } => Ok(()),
        }
    }
}
