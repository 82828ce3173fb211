//! Latency limits on the command line, and the search for the largest load within them.

use clap::Args;

use dyno_measure::load::{Slo, SloSearch};

#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Largest time to first token, at the percentile of the limits.
    #[arg(long, value_name = "MS", help_heading = "Latency limits")]
    slo_ttft_ms: Option<f64>,
    /// Largest time per output token.
    #[arg(long, value_name = "MS", help_heading = "Latency limits")]
    slo_tpot_ms: Option<f64>,
    /// Largest end-to-end latency.
    #[arg(long, value_name = "MS", help_heading = "Latency limits")]
    slo_e2el_ms: Option<f64>,
    /// The percentile that must be within the limits.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.0, help_heading = "Latency limits")]
    slo_percentile: f64,
    /// Search for the largest concurrency within the limits, from this on.
    #[arg(long, value_name = "LOAD", default_value_t = 1.0, help_heading = "Latency limits")]
    search_min: f64,
    /// And up to this.
    #[arg(long, value_name = "LOAD", conflicts_with_all = ["concurrency", "rate", "plan"], help_heading = "Latency limits")]
    search_max: Option<f64>,
    /// Search for a rate, requests per second, instead.
    #[arg(long, requires = "search_max", help_heading = "Latency limits")]
    pub search_rate: bool,
}

/// A search was asked for without a latency limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A search needs a latency limit: give --slo-ttft-ms, --slo-tpot-ms or --slo-e2el-ms.")]
pub struct LimitError;

impl LimitArgs {
    /// The limits, where any is given.
    ///
    /// # Errors
    /// When a search has no limits.
    pub fn slo(&self) -> Result<Option<Slo>, LimitError> {
        if self.slo_ttft_ms.is_none() && self.slo_tpot_ms.is_none() && self.slo_e2el_ms.is_none() {
            return match self.search_max {
                Some(_) => Err(LimitError),
                None => Ok(None),
            };
        }
        Ok(Some(Slo {
            percentile: self.slo_percentile,
            ttft_ms: self.slo_ttft_ms,
            tpot_ms: self.slo_tpot_ms,
            e2el_ms: self.slo_e2el_ms,
            search: self.search_max.map(|max| SloSearch { min: self.search_min, max }),
        }))
    }
}
