//! Parts of a plan that the HTTP contract shares and reads strictly. In a plan that was kept, fields that a later version
//! knows are passed over.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::load::{LengthDistribution, Slo};

/// Latency limits.
pub(super) fn slo<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Slo>, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    retain(&mut value, &["percentile", "ttft_ms", "tpot_ms", "e2el_ms", "search"]);
    if let Some(search) = value.get_mut("search") {
        retain(search, &["min", "max"]);
    }
    read(value)
}

/// How lengths are spread.
pub(super) fn lengths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LengthDistribution>, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    retain(&mut value, &["kind", "min", "mean", "std"]);
    read(value)
}

fn retain(value: &mut Value, known: &[&str]) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|key, _| known.contains(&key.as_str()));
    }
}

fn read<T: DeserializeOwned, E: Error>(value: Value) -> Result<Option<T>, E> {
    serde_json::from_value(value).map_err(E::custom)
}
