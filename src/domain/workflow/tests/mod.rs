//! The rules, sentence by sentence.

mod calls;
mod details;
mod editing;
mod finish;
mod load;
mod load_pods;
mod model;
mod place;
mod properties;
mod words;
mod world;

use serde_json::json;
