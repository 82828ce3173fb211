//! JSON values of the plain kinds.

use serde_json::Value;
use uuid::Uuid;

use crate::domain::workflow::fields::grouped;

/// A whole number; `50.0` is one.
pub fn whole(value: &Value) -> Option<i128> {
    let Value::Number(number) = value else { return None };
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    // Beyond 2^53 a float no longer tells neighbours apart.
    number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15).map(|number| number as i128)
}

/// A whole number within bounds, or a sentence.
pub fn whole_between(value: &Value, title: &str, least: u64, most: u64) -> Result<u64, String> {
    whole(value).and_then(|number| u64::try_from(number).ok()).filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        if most == u64::MAX {
            format!("{title} must be a whole number, {} or more.", grouped(least))
        } else {
            format!("{title} must be a whole number between {} and {}.", grouped(least), grouped(most))
        }
    })
}

/// A number above zero and up to a limit, or a sentence.
pub fn positive(value: &Value, title: &str, most: f64) -> Result<f64, String> {
    value
        .as_f64()
        .filter(|number| *number > 0.0 && *number <= most)
        .ok_or_else(|| format!("{title} must be a number above 0, up to {}.", grouped(most as u64)))
}

/// A number from zero up to a limit, or a sentence.
pub fn not_negative(value: &Value, title: &str, most: f64) -> Result<f64, String> {
    value
        .as_f64()
        .filter(|number| (0.0..=most).contains(number))
        .ok_or_else(|| format!("{title} must be a number from 0 to {}.", grouped(most as u64)))
}

/// An id.
pub fn id(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::try_parse(text.trim()).ok())
}

/// Text of at most so many characters, trimmed, or a sentence.
pub fn text(value: &Value, title: &str, most: usize) -> Result<String, String> {
    let Some(text) = value.as_str() else { return Err(format!("{title} must be text.")) };
    let text = text.trim();
    let length = text.chars().count();
    if length > most {
        return Err(format!(
            "{title} must be {} characters or fewer; this has {}.",
            grouped(most as u64),
            grouped(length as u64)
        ));
    }
    Ok(text.to_owned())
}
