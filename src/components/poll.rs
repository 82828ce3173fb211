//! Doing something again and again while a page is open, in the browser only.

/// Calls a function every so many milliseconds until the page is left.
pub fn every(ms: u64, work: impl Fn() + Clone + 'static) {
    #[cfg(feature = "hydrate")]
    {
        use leptos::prelude::*;
        Effect::new(move |_| {
            let handle = set_interval_with_handle(work.clone(), std::time::Duration::from_millis(ms));
            on_cleanup(move || {
                if let Ok(handle) = handle {
                    handle.clear();
                }
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (ms, work);
}
