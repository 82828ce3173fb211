//! Dyno: benchmarks of LLM inference on your own cluster. The crate's modules; each says at the top of its `mod.rs`
//! what it does.
#![recursion_limit = "256"]

pub mod domain;
pub mod islands;

#[cfg(feature = "ssr")]
pub mod api;
#[cfg(feature = "ssr")]
pub mod app;
#[cfg(feature = "ssr")]
pub mod auth;
#[cfg(feature = "ssr")]
pub mod cluster;
#[cfg(feature = "ssr")]
pub mod components;
#[cfg(feature = "ssr")]
pub mod credentials;
#[cfg(feature = "ssr")]
pub mod engine;
#[cfg(feature = "ssr")]
pub mod models;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod run;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod simulation;
#[cfg(feature = "ssr")]
pub mod state;
#[cfg(feature = "ssr")]
pub mod store;

/// Prepares the browser for the islands of the page that the server drew.
#[cfg(feature = "browser")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    remember_time_zone();
    leptos::mount::hydrate_islands();
}

/// Tells the server the reader's time zone, for the pages that it draws from now on.
#[cfg(feature = "browser")]
fn remember_time_zone() {
    use leptos::prelude::document;
    use wasm_bindgen::JsValue;
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let zone = js_sys::Reflect::get(&format.resolved_options(), &JsValue::from_str("timeZone"));
    if let Some(zone) = zone.ok().and_then(|zone| zone.as_string()) {
        let cookie = format!("dyno_zone={zone}; Path=/; SameSite=Lax; Max-Age=31536000");
        // A browser that keeps no cookies goes on reading UTC.
        let _ = js_sys::Reflect::set(&document(), &JsValue::from_str("cookie"), &JsValue::from_str(&cookie));
    }
}
