//! Uploads under way: their bytes count towards what a person may keep before they are kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// Bytes received so far, by person.
#[derive(Debug, Default)]
pub struct UploadsUnderWay(Mutex<HashMap<Uuid, u64>>);

impl UploadsUnderWay {
    /// Adds bytes of a person's upload, and answers all that are under way for that person.
    pub fn add(&self, person: Uuid, bytes: u64) -> u64 {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = under_way.entry(person).or_default();
        *all += bytes;
        *all
    }

    /// An upload of so many bytes is kept, or gone.
    pub fn end(&self, person: Uuid, bytes: u64) {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = under_way.get(&person).copied().unwrap_or_default().saturating_sub(bytes);
        if left > 0 {
            under_way.insert(person, left)
        } else {
            under_way.remove(&person)
        };
    }
}
