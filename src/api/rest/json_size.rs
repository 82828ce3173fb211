//! A limit for what a JSON body takes in memory: a value of few bytes takes many times its text once it is read.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Most values of a body, an object counted as [`OBJECT`]. A thousand nodes, as node-metrics answers them, are half of it.
const MOST: usize = 500_000;
/// An object takes as much memory as so many plain values.
const OBJECT: usize = 10;

/// Why a body is not read.
#[derive(Debug)]
pub(super) enum JsonSizeError {
    NoJson(serde_json::Error),
    TooManyValues,
}

/// Reads a body without keeping anything of it.
pub(super) fn check(bytes: &[u8]) -> Result<(), JsonSizeError> {
    let left = Cell::new(Some(MOST));
    let mut source = serde_json::Deserializer::from_slice(bytes);
    match Count(&left).deserialize(&mut source).and_then(|()| source.end()) {
        Ok(()) => Ok(()),
        Err(_) if left.get().is_none() => Err(JsonSizeError::TooManyValues),
        Err(error) => Err(JsonSizeError::NoJson(error)),
    }
}

/// What may still come; nothing once there was too much.
#[derive(Clone, Copy)]
struct Count<'a>(&'a Cell<Option<usize>>);

impl Count<'_> {
    fn take<E: Error>(self, values: usize) -> Result<(), E> {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(values)));
        if self.0.get().is_some() { Ok(()) } else { Err(E::custom("too many values")) }
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        self.take(1)?;
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        self.take(OBJECT)?;
        while fields.next_key::<IgnoredAny>()?.is_some() {
            fields.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn small_values_are_counted() {
        const BODY: usize = 2 << 20;
        for item in ["{\"\":0}", "{}", "0", "[]"] {
            let body = format!("[{}{item}]", format!("{item},").repeat(BODY / (item.len() + 1) - 2));
            assert!(body.len() <= BODY);
            assert!(matches!(check(body.as_bytes()), Err(JsonSizeError::TooManyValues)), "{item}");
        }
        assert!(check(format!("[{}0]", "0,".repeat(400_000)).as_bytes()).is_ok());
        assert!(check(format!("{:?}", "x".repeat(BODY)).as_bytes()).is_ok());
        for broken in ["", "{\"a\":}", "[1] 2", "name=x"] {
            assert!(matches!(check(broken.as_bytes()), Err(JsonSizeError::NoJson(_))), "{broken}");
        }
    }

    #[test]
    fn a_thousand_nodes_are_no_large_body() {
        let device = json!({
            "name": "NVIDIA H100 80GB HBM3", "type": "gpu", "available_count": 8,
            "device_info": {
                "num_devices": 8, "num_virtual_cores": 224, "num_physical_cores": 112, "memory_bytes": 85_899_345_920_u64,
                "memory_used_bytes": 589_934_592, "utilization_percent": 12.5, "power_w": 512.0, "temperature_c": 45.0,
                "driver": "570.1", "model": "x",
            },
            "device_config": {
                "peak_fp16_TFLOPS": 989.0, "memory_bandwidth_GBps": 3350.0, "link_bandwidth_GBps": 450.0, "source": "NVIDIA H100",
            },
        });
        let usage = json!({
            "cpu_percent": 1.5, "load_1m": 2.5, "memory_total_bytes": 1_u64 << 40, "memory_available_bytes": 1_u64 << 39,
        });
        let node = json!({
            "hostname": "node-0001", "status": "Ready", "devices": [device, device, device], "usage": usage,
            "system": "Ubuntu 24.04, Linux 6.8",
        });
        let body = json!({ "step_number": 4, "nodes": vec![node; 1_000] }).to_string();
        assert!(body.len() < 2 << 20, "{}", body.len());
        assert!(check(body.as_bytes()).is_ok());
    }
}
