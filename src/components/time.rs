//! Points in time, in UTC.

use jiff::Timestamp;
use leptos::prelude::*;

/// `24 Nov 2026, 10:55 UTC`
pub fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// `10:55:12`, in UTC.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// Milliseconds from one moment to another; 0 when the second is earlier.
pub fn between_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    view! {
        <time class="nowrap" datetime=at.to_string()>
            {moment(at)}
        </time>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc() {
        let at: Timestamp = "2026-11-04T09:05:07Z".parse().unwrap();
        assert_eq!(moment(at), "4 Nov 2026, 09:05 UTC");
        assert_eq!(clock(at), "09:05:07");
        assert_eq!(between_ms(at, at), 0);
    }
}
