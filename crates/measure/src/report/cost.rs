//! What the devices that served cost.

use serde::{Deserialize, Serialize};

const SECONDS_PER_HOUR: f64 = 3600.0;

/// Devices of one kind that serve, and what an hour of one of them costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PricedDevices {
    /// The name that the price was set for.
    pub device: String,
    pub count: u32,
    /// Of one device, for an hour.
    pub per_hour: f64,
    pub currency: String,
}

/// What all devices that serve cost together. All prices are in one currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServingCost<'a> {
    /// Of all devices, for an hour.
    pub per_hour: f64,
    pub currency: &'a str,
}

impl<'a> ServingCost<'a> {
    /// Of these devices; absent where there are none, or their prices can't be added.
    pub fn of(devices: &'a [PricedDevices]) -> Option<Self> {
        let currency = devices.first()?.currency.as_str();
        let is_one = devices.iter().all(|devices| devices.currency == currency);
        let per_hour = devices.iter().map(|devices| f64::from(devices.count) * devices.per_hour).sum();
        is_one.then_some(Self { per_hour, currency })
    }

    /// Of so many seconds.
    pub fn of_time(self, seconds: f64) -> f64 {
        self.per_hour * seconds / SECONDS_PER_HOUR
    }

    /// Of a million output tokens at this throughput, tokens per second; absent where there is none.
    pub fn per_million_tokens(self, output_throughput: f64) -> Option<f64> {
        (output_throughput > 0.0).then(|| self.of_time(1e6 / output_throughput))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(device: &str, count: u32, per_hour: f64, currency: &str) -> PricedDevices {
        PricedDevices { device: device.to_owned(), count, per_hour, currency: currency.to_owned() }
    }

    #[test]
    fn cost_follows_from_time_and_throughput() {
        let serving = [devices("H100", 2, 2.5, "EUR"), devices("L4", 1, 1.0, "EUR")];
        let cost = ServingCost::of(&serving).unwrap();
        assert_eq!((cost.per_hour, cost.currency), (6.0, "EUR"));
        // ten minutes
        assert!((cost.of_time(600.0) - 1.0).abs() < 1e-12);
        // a million tokens at 1,000 a second take 1,000 s
        assert!((cost.per_million_tokens(1000.0).unwrap() - 6.0 / 3.6).abs() < 1e-12);
        assert_eq!(cost.per_million_tokens(0.0), None);
    }

    #[test]
    fn what_can_not_be_added_has_no_cost() {
        assert_eq!(ServingCost::of(&[]), None);
        assert_eq!(ServingCost::of(&[devices("H100", 2, 2.5, "EUR"), devices("L4", 1, 1.0, "USD")]), None);
    }
}
