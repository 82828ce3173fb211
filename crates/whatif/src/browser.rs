//! What the worker calls.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::{WhatIfExplorer, WhatIfSubject};

#[wasm_bindgen]
pub struct WhatIf(WhatIfExplorer);

/// Nothing where the numbers are not those of a subject.
#[wasm_bindgen]
pub fn explore(subject: &[f64]) -> Option<WhatIf> {
    WhatIfSubject::from_numbers(subject).map(|subject| WhatIf(WhatIfExplorer::new(subject)))
}

#[wasm_bindgen]
impl WhatIf {
    /// The values of the fields, in their order; what was not a number is NaN.
    pub fn ask(&mut self, values: &[f64]) {
        let mut all = [f64::NAN; 5];
        for (place, value) in all.iter_mut().zip(values) {
            *place = *value;
        }
        self.0.ask(all);
    }

    /// What is known after a further step; nothing once all is.
    pub fn step(&mut self) -> Option<String> {
        self.0.step()
    }
}
