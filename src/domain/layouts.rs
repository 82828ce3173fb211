//! Layouts of a model on the chosen nodes, with their predicted performance.

use serde::{Deserialize, Serialize};

use dyno_measure::report::Prediction;

use super::price::DevicePrice;

/// The layouts of a model on the chosen nodes, compared by simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LayoutAdvice {
    /// Best first: those within the latency limits by throughput, then the others, then those that can't be.
    pub layouts: Vec<LayoutRow>,
    /// The chosen nodes, all alike.
    pub nodes: u32,
    /// Devices that serve on each of them, in words.
    pub devices: String,
    /// The load they were compared at, the largest of the benchmark's, in words.
    pub load: String,
    /// What the figures rest on; absent where no layout fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// What an hour of the devices costs; absent where they have no price, and nothing is ranked by cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<DevicePrice>,
    /// What one should know about the figures.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LayoutRow {
    /// Devices that hold one copy together.
    pub tensor_parallel: u32,
    /// Copies on each node; of a layout that can't be, as many as the devices would be enough for.
    pub replicas: u32,
    /// Devices in use, over all nodes.
    pub devices: u32,
    pub fits: bool,
    /// What is predicted; absent where the layout can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<LayoutFigures>,
    /// Why the layout can't be, with the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes that each device lacks, where it is memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_bytes: Option<u64>,
}

/// What a layout is predicted to reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LayoutFigures {
    /// Whether the latency limits are met; absent where the benchmark has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meets_limits: Option<bool>,
    /// Output tokens per second, over all copies.
    pub output_throughput: f64,
    pub output_throughput_per_device: f64,
    /// Of the devices in use, in the price's currency; absent without a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_million_output_tokens: Option<f64>,
    /// The place by cost, from 1: those within the latency limits before the others; absent without a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_rank: Option<u32>,
    /// Completed requests per second.
    pub request_throughput: f64,
    /// Requests within the limits, per second; absent without limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<LatencyFigures>,
    /// Absent where every request has one output token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<LatencyFigures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2el_ms: Option<LatencyFigures>,
    /// Tokens that each copy's KV cache holds.
    pub kv_tokens: u64,
    /// Requests of the longest length that each copy's KV cache holds at once.
    pub concurrent_requests: u64,
}

/// A latency, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LatencyFigures {
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
}

impl LayoutAdvice {
    /// Prices every layout, and ranks them by the cost of output tokens.
    #[must_use]
    pub fn priced(mut self, price: Option<DevicePrice>) -> Self {
        let Some(price) = price else { return self };
        let mut costs: Vec<(bool, f64, usize)> = Vec::new();
        for (index, layout) in self.layouts.iter_mut().enumerate() {
            let Some(figures) = &mut layout.figures else { continue };
            figures.cost_per_million_output_tokens =
                price.of_devices(layout.devices).per_million_tokens(figures.output_throughput);
            costs.extend(figures.cost_per_million_output_tokens.map(|cost| (figures.meets_limits == Some(false), cost, index)));
        }
        // Of layouts that cost the same, the faster one stands first already.
        costs.sort_by(|(missed, cost, _), (other_missed, other, _)| missed.cmp(other_missed).then(cost.total_cmp(other)));
        for (rank, (_, _, index)) in costs.into_iter().enumerate() {
            if let Some(figures) = &mut self.layouts[index].figures {
                figures.cost_rank = Some(rank as u32 + 1);
            }
        }
        Self { price: Some(price), ..self }
    }

    /// The cheapest layout, unless it misses the latency limits or has no price.
    pub fn cheapest(&self) -> Option<(&LayoutRow, f64)> {
        let (layout, figures) = self
            .layouts
            .iter()
            .filter_map(|layout| Some((layout, layout.figures.as_ref()?)))
            .find(|(_, figures)| figures.cost_rank == Some(1) && figures.meets_limits != Some(false))?;
        Some((layout, figures.cost_per_million_output_tokens?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn advice(rows: &[(u32, f64, Option<bool>)]) -> LayoutAdvice {
        let layouts: Vec<_> = rows
            .iter()
            .map(|(devices, throughput, meets)| {
                json!({ "tensor_parallel": devices, "replicas": 1, "devices": devices, "fits": true, "figures": {
                    "output_throughput": throughput, "output_throughput_per_device": throughput / f64::from(*devices),
                    "request_throughput": 1.0, "kv_tokens": 1, "concurrent_requests": 1, "meets_limits": meets } })
            })
            .collect();
        serde_json::from_value(json!({ "layouts": layouts, "nodes": 1, "devices": "8 × L4", "load": "", "notes": [] })).unwrap()
    }

    fn price(per_hour: f64) -> DevicePrice {
        serde_json::from_value(json!({ "id": "00000000-0000-0000-0000-000000000000", "device": "L4", "per_hour": per_hour,
            "currency": "EUR", "set_at": "2026-01-01T00:00:00Z" }))
        .unwrap()
    }

    #[test]
    fn the_cheapest_within_the_limits_is_first_by_cost() {
        // 2 devices: 1.11 EUR, 4: 1.39, 1: 0.93 but over the limits
        let rows = [(4, 2000.0, Some(true)), (2, 1250.0, Some(true)), (1, 750.0, Some(false))];
        let priced = advice(&rows).priced(Some(price(2.5)));
        let ranks: Vec<_> = priced.layouts.iter().map(|layout| layout.figures.as_ref().unwrap().cost_rank.unwrap()).collect();
        assert_eq!(ranks, [2, 1, 3]);
        let (cheapest, cost) = priced.cheapest().unwrap();
        assert_eq!(cheapest.devices, 2);
        assert!((cost - 2.0 * 2.5 * 1e6 / 1250.0 / 3600.0).abs() < 1e-9);
        assert!(advice(&[(1, 750.0, Some(false))]).priced(Some(price(2.5))).cheapest().is_none());
    }

    #[test]
    fn without_a_price_nothing_is_ranked_by_cost() {
        let rows = [(4, 2000.0, None)];
        assert_eq!(advice(&rows).priced(None), advice(&rows));
        assert!(advice(&rows).cheapest().is_none());
    }
}
