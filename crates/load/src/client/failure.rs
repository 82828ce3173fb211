//! Why a request counts as an error.

use dyno_measure::report::ErrorClass;

/// Why a request counts as an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub class: ErrorClass,
    pub words: String,
}

impl Failure {
    pub fn new(class: ErrorClass, words: impl Into<String>) -> Self {
        Self { class, words: words.into() }
    }
}
