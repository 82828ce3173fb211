//! Reading a body's fields one by one.

use std::fmt::Display;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::fields::{label, title};
use super::values;
use crate::domain::problem::FieldError;
use dyno_measure::load::values::whole_between;

/// The change of a field by a body. Missing fields stay unchanged; `null` clears an optional one.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Patch<T> {
    #[default]
    Keep,
    /// `null`.
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// The value that was sent.
    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Applies the change to a stored field.
    pub(super) fn apply(self, stored: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *stored = None,
            Self::Set(value) => *stored = Some(value),
        }
    }
}

/// Reads fields and collects their errors.
pub(super) struct Reader<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, errors: Vec::new() }
    }
}

impl Reader<'_> {
    /// Whether a field is present.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Reads a field with `read`, whose error is a sentence.
    pub(super) fn field<T, E: Display>(&mut self, field: &str, step: u8, read: impl FnOnce(&Value) -> Result<T, E>) -> Patch<T> {
        match self.fields.get(field) {
            None => Patch::Keep,
            Some(Value::Null) => Patch::Clear,
            Some(value) => match read(value) {
                Ok(value) => Patch::Set(value),
                Err(error) => {
                    self.errors.push(FieldError::at(step, field, error.to_string()));
                    Patch::Keep
                }
            },
        }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, field: &str, step: u8, least: u64, most: u64) -> Patch<u64> {
        self.field(field, step, |value| whole_between(value, &title(field), least, most))
    }

    /// A whole number within bounds that fit 32 bits.
    pub(super) fn whole32(&mut self, field: &str, step: u8, least: u32, most: u32) -> Patch<u32> {
        match self.whole(field, step, least.into(), most.into()) {
            Patch::Set(number) => Patch::Set(number as u32),
            Patch::Clear => Patch::Clear,
            Patch::Keep => Patch::Keep,
        }
    }

    pub(super) fn flag(&mut self, field: &str, step: u8) -> Patch<bool> {
        self.field(field, step, |value| value.as_bool().ok_or_else(|| format!("{field} must be true or false.")))
    }

    pub(super) fn id(&mut self, field: &str, step: u8) -> Patch<Uuid> {
        self.field(field, step, |value| values::id(value).ok_or_else(|| format!("{field} must be the id of a {}.", label(field))))
    }
}
