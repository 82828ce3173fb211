//! Points in time: in the reader's zone, with UTC beside it.

use jiff::Timestamp;
use leptos::prelude::*;

use crate::api::functions::forms::readers_zone;

/// `24 Nov 2026, 10:55:12 UTC`
fn in_utc(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// Milliseconds from one moment to another; 0 when the second is earlier.
pub fn between_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

/// How much of a moment is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimePrecision {
    /// `24 Nov 2026, 11:55`
    #[default]
    Minute,
    /// The same without the year.
    Short,
    /// `11:55:12`
    Clock,
}

/// A moment in the reader's time zone, with UTC in its tooltip; where the zone is not known, in UTC, which is said.
#[component]
pub fn Time(at: Timestamp, #[prop(optional)] precision: TimePrecision) -> impl IntoView {
    let zone = readers_zone();
    let text = match precision {
        TimePrecision::Minute => zone.long(at),
        TimePrecision::Short => zone.short(at),
        TimePrecision::Clock => zone.clock(at),
    };
    view! {
        <time class="nowrap" datetime=at.to_string() title=in_utc(at)>
            {text}
        </time>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::functions::forms::Zone;

    #[test]
    fn moments_are_in_the_readers_zone_with_utc_beside_it() {
        let at: Timestamp = "2026-11-04T23:05:07Z".parse().unwrap();
        let html = |precision| view! { <Time at=at precision=precision /> }.to_html();
        Owner::new().with(|| {
            let unknown = html(TimePrecision::Minute);
            assert!(unknown.contains(">4 Nov 2026, 23:05 UTC<"), "{unknown}");
            provide_context(Zone::named("Europe/Berlin").unwrap());
            let minute = html(TimePrecision::Minute);
            assert!(minute.contains(">5 Nov 2026, 00:05<"), "{minute}");
            assert!(minute.contains(r#"title="4 Nov 2026, 23:05:07 UTC""#), "{minute}");
            assert!(html(TimePrecision::Short).contains(">5 Nov, 00:05<"));
            assert!(html(TimePrecision::Clock).contains(">00:05:07<"));
        });
        assert_eq!(between_ms(at, at), 0);
    }
}
