//! What an hour of a device costs, and the cost of tokens that follows from it.

use dyno_measure::report::cost::{PricedDevices, ServingCost};
use dyno_measure::words::{is_blank, is_invisible};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Prices above this are mistakes of the keyboard.
pub const HIGHEST_PRICE: f64 = 1_000_000.0;
/// Characters of a currency.
pub const LONGEST_CURRENCY: usize = 8;
/// Characters of a device's name.
pub const LONGEST_DEVICE: usize = 200;

/// The price of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DevicePrice {
    pub id: Uuid,
    /// The data sheet's name where it is known, else as it was given.
    pub device: String,
    /// Of one device, for an hour.
    pub per_hour: f64,
    /// The same for all prices.
    pub currency: String,
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub set_at: Timestamp,
}

impl DevicePrice {
    /// So many of these devices.
    pub fn of_devices(&self, count: u32) -> ServingCost<'_> {
        ServingCost { per_hour: f64::from(count) * self.per_hour, currency: &self.currency }
    }
}

/// What the devices that served a run cost, by the prices of when it began.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunCost {
    /// At the load that lists show; absent where there is no output throughput.
    pub cost_per_million_output_tokens: Option<f64>,
    /// Of all load points together, start and warm-up not counted.
    pub cost_of_load: f64,
    pub currency: String,
}

impl RunCost {
    /// Absent where there are no prices, or they can't be added. Throughput in tokens per second, duration in seconds.
    pub fn of(prices: &[PricedDevices], output_throughput: Option<f64>, duration_s: f64) -> Option<Self> {
        let cost = ServingCost::of(prices)?;
        Some(Self {
            cost_per_million_output_tokens: output_throughput.and_then(|throughput| cost.per_million_tokens(throughput)),
            cost_of_load: cost.of_time(duration_s),
            currency: cost.currency.to_owned(),
        })
    }
}

/// `1.2 EUR`; small amounts keep three digits.
pub fn amount_words(amount: f64, currency: &str) -> String {
    format!("{} {currency}", dyno_measure::words::figure(amount))
}

/// `4 × L4-24GB at 2.00 EUR per hour each`
pub fn priced_words(devices: &[PricedDevices]) -> String {
    let words = |priced: &PricedDevices| {
        format!("{} × {} at {} per hour each", priced.count, priced.device, amount_words(priced.per_hour, &priced.currency))
    };
    devices.iter().map(words).collect::<Vec<String>>().join(", ")
}

fn is_text(text: &str, most: usize) -> bool {
    !is_blank(text) && text.chars().count() <= most && !text.chars().any(is_invisible)
}

/// What is wrong with the name of a device.
pub fn device_name_error(device: &str) -> Option<String> {
    (!is_text(device, LONGEST_DEVICE)).then(|| format!("Name the device, in at most {LONGEST_DEVICE} characters."))
}

/// What is wrong with a price, by field; the currency is compared with those of other prices elsewhere.
pub fn price_errors(device: &str, per_hour: f64, currency: &str) -> Vec<(&'static str, String)> {
    let mut errors: Vec<_> = device_name_error(device).map(|message| ("device", message)).into_iter().collect();
    if !(0.0..=HIGHEST_PRICE).contains(&per_hour) {
        errors.push(("per_hour", "A price is a number from 0 to 1,000,000.".to_owned()));
    }
    if !is_text(currency, LONGEST_CURRENCY) {
        errors.push(("currency", format!("Name the currency, such as EUR, in at most {LONGEST_CURRENCY} characters.")));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_bounds() {
        let fields = |device: &str, price: f64, currency: &str| -> Vec<&str> {
            price_errors(device, price, currency).into_iter().map(|(field, _)| field).collect()
        };
        assert!(fields("L4", 0.0, "EUR").is_empty() && fields("L4", HIGHEST_PRICE, "credits").is_empty());
        assert_eq!(fields("", -0.01, ""), ["device", "per_hour", "currency"]);
        assert_eq!(fields("L4", f64::NAN, "123456789"), ["per_hour", "currency"]);
        assert_eq!(fields("L\u{202e}4", 1.0, "\u{3164}"), ["device", "currency"]);
        assert_eq!(fields("a\nb", HIGHEST_PRICE * 1.01, "E\tR"), ["device", "per_hour", "currency"]);
    }
}
