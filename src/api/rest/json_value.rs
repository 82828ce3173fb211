//! Reads a JSON value in which no object has a name twice. The usual readers let the last of them count, so that a body can mean
//! something else to whoever looked at it before.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why a body is not read.
#[derive(Debug)]
pub(super) enum JsonValueError {
    NoJson(serde_json::Error),
    /// The path of the name that stands twice: `tags[1].name`.
    Twice(String),
}

/// Reads a value, to the end of the text.
pub(super) fn read(bytes: &[u8]) -> Result<Value, JsonValueError> {
    let twice = RefCell::new(None);
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let read = Strict(&twice).deserialize(&mut source).and_then(|value| source.end().map(|()| value));
    read.map_err(|error| twice.take().map_or(JsonValueError::NoJson(error), JsonValueError::Twice))
}

/// Keeps the path of a name that stands twice, which grows on the way out.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<String>>);

impl Strict<'_> {
    /// Puts what leads to a value before the path within it.
    fn within(self, step: &str) {
        if let Some(path) = self.0.borrow_mut().as_mut() {
            let joint = if path.starts_with('[') { "" } else { "." };
            *path = format!("{step}{joint}{path}");
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self).inspect_err(|_| self.within(&format!("[{}]", list.len())))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if object.contains_key(&name) {
                *self.0.borrow_mut() = Some(name);
                return Err(A::Error::custom("a name stands twice"));
            }
            let value = fields.next_value_seed(self).inspect_err(|_| self.within(&name))?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_stands() {
        for text in [
            "null",
            "[]",
            "{}",
            r#"{"a": [1, -2, 0.5, 1e300, 18446744073709551615, "ä\n", true, null, {"a": {"a": []}}], "b": {"": ""}}"#,
        ] {
            let value = read(text.as_bytes()).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        // A name by which serde_json means something of its own is a name as any.
        let value = read(br#"{"$serde_json::private::RawValue": "[1]"}"#).unwrap();
        assert!(value.as_object().is_some_and(|object| object.values().all(Value::is_string)), "{value}");
        for broken in ["", "{", "[1] 2", r#"{"a" 1}"#, "1e999"] {
            assert!(matches!(read(broken.as_bytes()), Err(JsonValueError::NoJson(_))), "{broken}");
        }
        // As deep as serde_json goes.
        assert!(matches!(read(&[b'['; 100_000]), Err(JsonValueError::NoJson(_))));
    }

    #[test]
    fn the_path_of_a_name_that_stands_twice_is_said() {
        for (text, path) in [
            (r#"{"a": 1, "a": 1}"#, "a"),
            (r#"{"b": 1, "a": 1, "\u0061": 2}"#, "a"),
            (r#"{"a": {"b": [0, {"c": 1, "c": 2}]}}"#, "a.b[1].c"),
            (r#"[[{"a": 1}, {"a": 1, "a": 2}]]"#, "[0][1].a"),
        ] {
            assert!(matches!(read(text.as_bytes()), Err(JsonValueError::Twice(found)) if found == path), "{text}");
        }
        assert!(read(br#"{"a": {"a": 1}, "A": [{"a": 1}, {"a": 1}]}"#).is_ok());
    }
}
