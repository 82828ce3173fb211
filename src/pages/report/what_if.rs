//! What if the load or the layout were others? A simulated run's question asked again: by a form, and as sliders move where
//! there are scripts. The answer is drawn by `crates/whatif` either way.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use super::section::Section;
use crate::api::functions::report::WhatIfSection;
use crate::components::badge::KindBadge;
use crate::components::button::Submit;
use crate::islands::WhatIfSliders;
use dyno_measure::report::Prediction;
use dyno_measure::run::RunKind;
use dyno_measure::words::grouped;
use dyno_whatif::SliderField;
use dyno_whatif::ask::{FIELDS, TENSOR_PARALLEL};

/// What else of the address stays as it is when the form is sent.
const KEPT: [&str; 2] = ["figures", "point"];

#[component]
pub fn WhatIfSection(
    what_if: WhatIfSection,
    prediction: Option<Prediction>,
    /// The report's own address.
    path: String,
    query: Memo<ParamsMap>,
) -> impl IntoView {
    let WhatIfSection { entries, markup, subject, program, degrees, device, is_same_load } = what_if;
    let sure = prediction.map(|prediction| {
        let error = prediction.error_words().map(|words| format!("; {words}")).unwrap_or_default();
        format!("{}{error}.", prediction.standing_words())
    });
    let stands_for = if is_same_load {
        "At the run's own values the figures are the report's."
    } else {
        "A closed loop of fixed lengths stands in for the run's load: at its own values the figures are near the report's, not the same."
    };
    let kept = KEPT
        .into_iter()
        .filter_map(|name| Some((name, query.with_untracked(|query| query.get(name))?)))
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view();
    let fields = FIELDS
        .into_iter()
        .zip(entries)
        .map(|(field, entry)| {
            if field == TENSOR_PARALLEL {
                view! { <Degrees degrees=degrees.clone() chosen=entry /> }.into_any()
            } else {
                view! { <Slider field=field entry=entry /> }.into_any()
            }
        })
        .collect_view();
    view! {
        <Section id="what-if" title="What if" panel=true>
            <p>
                <KindBadge kind=RunKind::Simulated />
                {format!(" The same model and engine on {device}, at other loads and layouts. {stands_for}")}
            </p>
            <form
                id="what-if-form"
                class="what-if-form"
                method="get"
                action=format!("{path}#what-if")
                data-program=program
                data-subject=subject
            >
                {kept}
                {fields}
                <div class="what-if-send">
                    <Submit text="Simulate" />
                </div>
            </form>
            <div id="what-if-result" class="stack" inner_html=markup></div>
            <p id="what-if-status" class="visually-hidden" role="status"></p>
            <p class="muted small">
                {sure}
                " Error bars are the expected error of means; that of throughput is the latency's of whole requests. Throughput is divided by the devices in use."
            </p>
            <WhatIfSliders />
        </Section>
    }
    .into_any()
}

/// A whole number, with a slider over its usual values where there are scripts.
#[component]
fn Slider(field: SliderField, entry: String) -> impl IntoView {
    let SliderField { name, label, unit, least, most, stops } = field;
    let id = format!("what-if-{name}");
    let label_id = format!("{id}-label");
    let stops_list = stops.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let value = entry.trim().parse().unwrap_or(least);
    let place = stops.iter().rposition(|stop| *stop <= value).unwrap_or(0);
    view! {
        <div class="field">
            <label id=label_id.clone() for=id.clone()>
                {label}
            </label>
            <div class="what-if-slider">
                <input
                    type="range"
                    hidden
                    min="0"
                    max=(stops.len() - 1).to_string()
                    step="1"
                    value=place.to_string()
                    data-for=id.clone()
                    data-stops=stops_list
                    data-unit=unit
                    aria-labelledby=label_id
                    aria-valuetext=format!("{} {unit}", grouped(value.into()))
                />
                <span class="input-with-unit">
                    <input
                        class="input input-short"
                        type="number"
                        inputmode="numeric"
                        id=id
                        name=name
                        min=least.to_string()
                        max=most.to_string()
                        step="1"
                        required
                        value=entry
                    />
                    <span class="unit">{unit}</span>
                </span>
            </div>
        </div>
    }
}

/// How many devices share a replica.
#[component]
fn Degrees(degrees: Vec<(u32, bool)>, chosen: String) -> impl IntoView {
    let chosen: u32 = chosen.trim().parse().unwrap_or(1);
    let choices = degrees
        .into_iter()
        .map(|(degree, possible)| {
            let id = format!("what-if-degree-{degree}");
            view! {
                <span class="what-if-degree">
                    <input
                        type="radio"
                        id=id.clone()
                        name=TENSOR_PARALLEL.name
                        value=degree.to_string()
                        checked=degree == chosen
                        disabled=!possible
                    />
                    <label for=id>{degree.to_string()}</label>
                </span>
            }
        })
        .collect_view();
    view! {
        <fieldset class="field">
            <legend>{TENSOR_PARALLEL.label}</legend>
            <div class="what-if-degrees">{choices}</div>
        </fieldset>
    }
}
