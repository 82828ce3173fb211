//! Which load point the sections beneath are of.

use leptos::prelude::*;

use super::section::Section;
use crate::components::icon::{Icon, IconName};
use dyno_measure::load::OfferedLoad;
use dyno_measure::report::{LoadPoint, Report};

/// The address of a load point's own figures.
pub fn point_href(path: &str, point: usize, figures: bool) -> String {
    format!("{path}?point={point}{}#point", if figures { "&figures=shown" } else { "" })
}

/// The load points to choose from; nothing where there is a single one.
#[component]
pub fn PointChoice(
    report: Report,
    path: String,
    /// The one that is shown.
    point: usize,
) -> impl IntoView {
    if report.load_points.len() < 2 {
        return ().into_any();
    }
    let best = report.valid.then_some(report.best);
    // Figures that are not valid were asked for once; so they stay.
    let figures = !report.valid;
    let mut order: Vec<usize> = (0..report.load_points.len()).collect();
    let load = |index: &usize| report.load_points.get(*index).and_then(LoadPoint::offered).map_or(0.0, OfferedLoad::value);
    order.sort_by(|a, b| load(a).total_cmp(&load(b)));
    let links = order
        .into_iter()
        .filter_map(|index| {
            let text = named(&report.load_points, index)?;
            let star = (best == Some(index))
                .then(|| view! { <Icon name=IconName::Star /> <span class="visually-hidden">" (chosen)"</span> });
            Some(view! {
                <li>
                    <a
                        class="point-link"
                        href=point_href(&path, index, figures)
                        aria-current=(index == point).then_some("true")
                    >
                        {text}
                        {star}
                    </a>
                </li>
            })
        })
        .collect_view();
    let shown = named(&report.load_points, point).unwrap_or_default();
    view! {
        <Section id="point" title=format!("Load point: {shown}")>
            <nav aria-label="Load point">
                <ul class="point-links">{links}</ul>
            </nav>
            <p class="muted small">"Latency, time and lengths below, and the errors above, are of this load point."</p>
        </Section>
    }
    .into_any()
}

/// A load point's offered load in words, told from an earlier one of the same load.
pub fn named(points: &[LoadPoint], index: usize) -> Option<String> {
    let point = points.get(index)?;
    let again = points[..index].iter().any(|earlier| earlier.offered().is_some() && earlier.offered() == point.offered());
    Some(if again { format!("{}, again", offered(point)) } else { offered(point) })
}

/// A load point's offered load in words.
pub fn offered(point: &LoadPoint) -> String {
    point.offered().map_or_else(|| "its load".to_owned(), OfferedLoad::words)
}
