//! Latency limits: the latencies that can be limited, published presets, and the number of samples that a limit needs.

use serde::{Deserialize, Serialize};

use crate::load::Slo;
use crate::statistics::bounds;

/// A published pair of limits, at the 99th percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SloPreset {
    /// Its value in forms.
    pub id: &'static str,
    pub title: &'static str,
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Time per output token, ms.
    pub tpot_ms: f64,
}

/// MLPerf Inference's limits for servers of language models, by model; docs/METRICS.md lists the same.
pub const PRESETS: [SloPreset; 8] = [
    SloPreset { id: "llama2-70b", title: "Llama 2 70B", ttft_ms: 2000.0, tpot_ms: 200.0 },
    SloPreset { id: "llama2-70b-interactive", title: "Llama 2 70B, interactive", ttft_ms: 450.0, tpot_ms: 40.0 },
    SloPreset { id: "llama3.1-8b", title: "Llama 3.1 8B", ttft_ms: 2000.0, tpot_ms: 100.0 },
    SloPreset { id: "llama3.1-8b-interactive", title: "Llama 3.1 8B, interactive", ttft_ms: 500.0, tpot_ms: 30.0 },
    SloPreset { id: "llama3.1-405b", title: "Llama 3.1 405B", ttft_ms: 6000.0, tpot_ms: 175.0 },
    SloPreset { id: "llama3.1-405b-interactive", title: "Llama 3.1 405B, interactive", ttft_ms: 4500.0, tpot_ms: 80.0 },
    SloPreset { id: "deepseek-r1", title: "DeepSeek R1", ttft_ms: 2000.0, tpot_ms: 80.0 },
    SloPreset { id: "deepseek-r1-interactive", title: "DeepSeek R1, interactive", ttft_ms: 1500.0, tpot_ms: 15.0 },
];

pub fn preset(id: &str) -> Option<&'static SloPreset> {
    PRESETS.iter().find(|preset| preset.id == id)
}

/// The preset with the same limits, if any.
pub fn preset_of(slo: &Slo) -> Option<&'static SloPreset> {
    let same = |limit: Option<f64>, own: f64| limit.is_some_and(|limit| (limit - own).abs() < 1e-9);
    PRESETS.iter().find(|preset| same(slo.ttft_ms, preset.ttft_ms) && same(slo.tpot_ms, preset.tpot_ms))
}

/// Least number of samples with which a percentile (0 to 100) is decisive.
pub fn floor(percentile: f64) -> u32 {
    bounds::floor(percentile).and_then(|samples| u32::try_from(samples).ok()).unwrap_or(u32::MAX)
}

/// A latency that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitedLatency {
    /// Time to first token.
    TtftMs,
    /// Time per output token.
    TpotMs,
    E2elMs,
}

impl LimitedLatency {
    /// Its name on pages.
    pub fn title(self) -> &'static str {
        match self {
            Self::TtftMs => "TTFT",
            Self::TpotMs => "TPOT",
            Self::E2elMs => "E2E latency",
        }
    }

    /// The limited latencies with their limits, ms.
    pub fn of(slo: &Slo) -> Vec<(Self, f64)> {
        [(Self::TtftMs, slo.ttft_ms), (Self::TpotMs, slo.tpot_ms), (Self::E2elMs, slo.e2el_ms)]
            .into_iter()
            .filter_map(|(latency, limit)| Some((latency, limit?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_found_by_name_and_by_their_limits() {
        let slo = |ttft_ms, tpot_ms| Slo { percentile: 99.0, ttft_ms, tpot_ms, e2el_ms: None, search: None };
        assert_eq!(preset_of(&slo(Some(450.0), Some(40.0))).map(|preset| preset.id), Some("llama2-70b-interactive"));
        assert_eq!(preset_of(&slo(Some(450.0), None)), None);
        assert_eq!(preset("deepseek-r1").map(|preset| preset.tpot_ms), Some(80.0));
        assert_eq!([50.0, 99.0, 99.9].map(floor), [11, 662, 6_636]);
        assert!((130..662).contains(&floor(97.0)), "percentiles between have floors of their own");
    }
}
