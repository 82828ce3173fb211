//! Icons, always beside a word, never instead of one.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IconName {
    Clock,
    Ring,
    Tick,
    HalfDisc,
    Cross,
    /// Ended by a person.
    Slash,
    BrokenLink,
    Wave,
    Warning,
    Info,
    Left,
    Right,
    Up,
    Down,
    Dot,
    Star,
}

impl IconName {
    /// The stroked and the filled path, in a box of 16 by 16.
    fn paths(self) -> (&'static str, &'static str) {
        match self {
            Self::Clock => ("M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2M8 5v3.2l2.2 1.6", ""),
            Self::Ring => ("M8 2a6 6 0 1 1-5.2 3", ""),
            Self::Tick => ("M3 8.5l3.2 3.2L13 5", ""),
            Self::HalfDisc => ("M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2", "M8 2a6 6 0 0 0 0 12z"),
            Self::Cross => ("M4 4l8 8M12 4l-8 8", ""),
            Self::Slash => ("M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2M4 12l8-8", ""),
            Self::BrokenLink => {
                ("M7 4.5l1.5-1.5a3 3 0 0 1 4.3 4.3L11.3 8.8M9 11.5l-1.5 1.5a3 3 0 0 1-4.3-4.3L4.7 7.2M3 3l2 2M11 11l2 2", "")
            }
            Self::Wave => ("M2 6.5c2-3 4-3 6 0s4 3 6 0M2 11c2-3 4-3 6 0s4 3 6 0", ""),
            Self::Warning => ("M8 2.5l6 10.8H2zM8 6.5v3.2M8 11.5v.3", ""),
            Self::Info => ("M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2M8 7.3v3.7M8 5v.3", ""),
            Self::Left => ("M10 3L5 8l5 5", ""),
            Self::Right => ("M6 3l5 5-5 5", ""),
            Self::Up => ("M4 10l4-5 4 5", ""),
            Self::Down => ("M4 6l4 5 4-5", ""),
            Self::Star => ("", "M8 1.5l2 4.3 4.7.5-3.5 3.2 1 4.7L8 11.8l-4.2 2.4 1-4.7L1.3 6.3l4.7-.5z"),
            Self::Dot => ("M8 5a3 3 0 1 0 0 6A3 3 0 1 0 8 5", ""),
        }
    }
}

/// An icon, hidden from screen readers since the word beside it says the same.
#[component]
pub fn Icon(name: IconName) -> impl IntoView {
    let (line, filled) = name.paths();
    let class = if name == IconName::Ring { "icon icon-ring" } else { "icon" };
    view! {
        <svg class=class viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d=line fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"></path>
            <path d=filled fill="currentColor"></path>
        </svg>
    }
    .into_any()
}
