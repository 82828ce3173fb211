//! The part of a row that is of use as a JSON value: fields that no reader asks for are passed over as they are parsed, and the
//! rest is counted, since a value takes many times the memory of its text.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::fields::{ENVELOPES, is_known_field};

/// Most values in what is kept of a row: a conversation of a thousand turns has some thousand.
const MAX_VALUES: usize = 100_000;

/// Parses a row's text.
pub(super) fn parse(text: &[u8]) -> serde_json::Result<Value> {
    let left = Cell::new(MAX_VALUES);
    let mut source = serde_json::Deserializer::from_slice(text);
    let value = KnownFields { left: &left, is_row: true }.deserialize(&mut source)?;
    source.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct KnownFields<'a> {
    left: &'a Cell<usize>,
    /// Whether unknown fields of an object are passed over.
    is_row: bool,
}

impl KnownFields<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| E::custom(format!("it holds more than {MAX_VALUES} values")))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for KnownFields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        self.count()?;
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KnownFields<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(KnownFields { is_row: false, ..self })? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if self.is_row && !is_known_field(&name) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let is_row = self.is_row && ENVELOPES.contains(&name.as_str());
            let value = fields.next_value_seed(KnownFields { is_row, ..self })?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_are_passed_over() {
        let row = json!({"prompt": "q", "embedding": [1, 2.5], "body": {"messages": [{"role": "user", "extra": null}], "x": {}}});
        let expected = json!({"prompt": "q", "body": {"messages": [{"role": "user", "extra": null}]}});
        assert_eq!(parse(row.to_string().as_bytes()).unwrap(), expected);
        assert!(parse(b"{} x").is_err());
    }

    #[test]
    fn a_row_of_many_values_is_refused_where_they_are_kept() {
        let many = format!("[{}1]", "1,".repeat(MAX_VALUES));
        assert!(parse(format!("{{\"prompt\": {many}}}").as_bytes()).unwrap_err().to_string().contains("more than 100000 values"));
        assert_eq!(parse(format!("{{\"x\": {many}}}").as_bytes()).unwrap(), json!({}));
    }
}
