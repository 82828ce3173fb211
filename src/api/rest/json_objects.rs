//! Reads types from a JSON value, an object for each struct. serde would also take a list of the fields in the order in which the
//! program happens to have them.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// A value to be read.
#[derive(Debug)]
pub(super) struct JsonObjects(pub(super) Value);

impl IntoDeserializer<'_, Error> for JsonObjects {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl JsonObjects {
    fn object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let found = match &self.0 {
            Value::Object(_) => return self.deserialize_any(visitor),
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(_) => Unexpected::Other("number"),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
        };
        Err(Error::invalid_type(found, &"an object"))
    }
}

impl<'de> Deserializer<'de> for JsonObjects {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(JsonObjects));
                let read = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(read)
            }
            Value::Object(fields) => {
                let mut fields = MapDeserializer::new(fields.into_iter().map(|(name, value)| (name, JsonObjects(value))));
                let read = visitor.visit_map(&mut fields)?;
                fields.end()?;
                Ok(read)
            }
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(fields) if fields.len() == 1 => {
                let fields = fields.into_iter().map(|(name, value)| (name, JsonObjects(value)));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(fields)))
            }
            other => other.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        a: u8,
        b: Option<f64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Plain,
        Text(String),
        Of(Inner),
        Fields { a: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        inner: Inner,
        pair: (u8, String),
        choices: Vec<Choice>,
        #[serde(default)]
        any: Value,
    }

    #[test]
    fn what_serde_reads_of_objects_is_read() {
        let value = json!({
            "inner": {"a": 1, "b": 2}, "pair": [3, "x"], "any": [{"deep": [[1], null]}],
            "choices": ["plain", {"text": "t"}, {"of": {"a": 1, "b": null}}, {"fields": {"a": 2}}],
        });
        let read = Outer::deserialize(JsonObjects(value.clone())).unwrap();
        assert_eq!(read, serde_json::from_value::<Outer>(value).unwrap());
    }

    #[test]
    fn a_list_is_no_struct_wherever_it_stands() {
        let good = json!({"inner": {"a": 1}, "pair": [3, "x"], "choices": []});
        for (name, value, is_serdes) in [
            ("inner", json!([1, 2]), true),
            ("choices", json!([{"of": [1, 2]}]), true),
            ("choices", json!([{"fields": [1]}]), false),
        ] {
            let mut body = good.clone();
            body[name] = value;
            assert_eq!(serde_json::from_value::<Outer>(body.clone()).is_ok(), is_serdes, "{body}");
            let error = Outer::deserialize(JsonObjects(body)).unwrap_err().to_string();
            assert_eq!(error, "invalid type: sequence, expected an object");
        }
        for more in [json!([3, "x", 1]), json!([3])] {
            let mut body = good.clone();
            body["pair"] = more;
            assert!(Outer::deserialize(JsonObjects(body)).is_err());
        }
    }
}
