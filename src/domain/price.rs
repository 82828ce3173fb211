//! What an hour of a device costs, and the cost of tokens that follows from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Prices above this are mistakes of the keyboard.
pub const HIGHEST_PRICE: f64 = 1_000_000.0;
/// Characters of a currency.
pub const LONGEST_CURRENCY: usize = 8;
/// Characters of a device's name.
pub const LONGEST_DEVICE: usize = 200;

const SECONDS_PER_HOUR: f64 = 3600.0;

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
    /// Of so many devices for so many seconds.
    pub fn of_time(&self, devices: u32, seconds: f64) -> f64 {
        f64::from(devices) * self.per_hour * seconds / SECONDS_PER_HOUR
    }

    /// Of a million output tokens at this throughput, tokens per second; absent where there is none.
    pub fn per_million_tokens(&self, devices: u32, output_throughput: f64) -> Option<f64> {
        (output_throughput > 0.0).then(|| self.of_time(devices, 1e6 / output_throughput))
    }
}

/// `1.2 EUR`; small amounts keep three digits.
pub fn amount_words(amount: f64, currency: &str) -> String {
    format!("{} {currency}", dyno_measure::words::figure(amount))
}

/// What is wrong with a price, by field; the currency is compared with those of other prices elsewhere.
pub fn price_errors(device: &str, per_hour: f64, currency: &str) -> Vec<(&'static str, String)> {
    let mut errors = Vec::new();
    let is_text =
        |text: &str, most: usize| !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    if !is_text(device, LONGEST_DEVICE) {
        errors.push(("device", format!("Name the device, in at most {LONGEST_DEVICE} characters.")));
    }
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
    fn cost_follows_from_time_and_throughput() {
        let price = DevicePrice {
            id: Uuid::nil(),
            device: "L4".to_owned(),
            per_hour: 1.8,
            currency: "EUR".to_owned(),
            set_at: Timestamp::UNIX_EPOCH,
        };
        // two devices for ten minutes
        assert!((price.of_time(2, 600.0) - 0.6).abs() < 1e-12);
        // a million tokens at 1,000 a second take 1,000 s
        assert!((price.per_million_tokens(1, 1000.0).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(price.per_million_tokens(1, 0.0), None);
    }

    #[test]
    fn prices_have_bounds() {
        let fields = |device: &str, price: f64, currency: &str| -> Vec<&str> {
            price_errors(device, price, currency).into_iter().map(|(field, _)| field).collect()
        };
        assert!(fields("L4", 0.0, "EUR").is_empty() && fields("L4", HIGHEST_PRICE, "credits").is_empty());
        assert_eq!(fields("", -0.01, ""), ["device", "per_hour", "currency"]);
        assert_eq!(fields("L4", f64::NAN, "123456789"), ["per_hour", "currency"]);
        assert_eq!(fields("a\nb", HIGHEST_PRICE * 1.01, "E\tR"), ["device", "per_hour", "currency"]);
    }
}
