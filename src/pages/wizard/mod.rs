//! The wizard: one page per step, the list of steps beside it.

use leptos::prelude::*;

/// The first step of a new draft.
#[component]
pub fn NewBenchmark() -> impl IntoView {}

/// A step of a draft.
#[component]
pub fn WizardPage() -> impl IntoView {}
