//! How far the client's own times can be trusted: checked before the run against known times, watched during it.

use jiff::Timestamp;
use leptos::prelude::*;

use super::section::Section;
use crate::components::banner::{Banner, Notice};
use crate::components::definition::{Definition, Definitions};
use crate::components::number::{bytes, count, figure, grouped, percent};
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use dyno_measure::report::{ClientHealth, Distribution, Report};
use dyno_measure::validity::{ClientError, SelfCheck};

/// An error up to this is accepted whatever the figure, ms; docs/METRICS.md has the rule.
const SMALL_MS: f64 = 1.0;
/// Above that, an error up to this share of the figure.
const SMALL_SHARE: f64 = 0.05;

/// The self-check and the client's health.
#[component]
pub fn ClientSection(report: Report) -> impl IntoView {
    let check = match report.self_check.clone() {
        Some(check) => {
            view! { <Check check=check ttft=report.summary.ttft_ms.clone() itl=report.summary.itl_ms.clone() /> }.into_any()
        }
        None => view! { <p class="muted">"The client was not checked before this run."</p> }.into_any(),
    };
    view! {
        <Section id="client" title="Self-check and client" panel=true>
            {check}
            <h3>"During the run"</h3>
            <Definitions>
                {health(&report.client)
                    .into_iter()
                    .map(|(term, text)| view! { <Definition term=term>{text}</Definition> })
                    .collect_view()}
            </Definitions>
        </Section>
    }
    .into_any()
}

/// The check, in words and as a table.
#[component]
fn Check(check: SelfCheck, ttft: Option<Distribution>, itl: Option<Distribution>) -> impl IntoView {
    let when = Timestamp::from_millisecond(check.checked_at_unix_ms).ok();
    let when = view! {
        <p class="muted small">
            {if check.cached { "Taken over from a check of this machine, " } else { "Checked right before the run, " }}
            {when.map(|at| view! { <Time at=at /> })}
            {format!(
                ": {} in flight{}, {} compared, true TTFT {} ms, true gap {} ms.",
                grouped(check.concurrency.into()),
                if check.tls { " over TLS" } else { "" },
                count(check.requests, "request", "requests"),
                figure(check.true_ttft_ms),
                figure(check.true_itl_ms),
            )}
        </p>
    };
    if let Some(reason) = check.failed {
        return view! {
            <Banner notice=Notice::Warning>
                <p>{format!("The client could not be checked: {}.", reason.trim_end_matches('.'))}</p>
                <p>"How far its times are right is not known for this run."</p>
            </Banner>
            {when}
        }
        .into_any();
    }
    let sentences: Vec<String> = [
        ("time to first token", check.ttft_error_ms, ttft.map(|found| ("TTFT", found.p50))),
        ("gaps between events", check.itl_error_ms, itl.map(|found| ("ITL", found.p50))),
    ]
    .into_iter()
    .filter_map(|(what, error, figure)| Some(meaning(what, error?, figure)))
    .collect();
    let rows = [("TTFT", check.ttft_error_ms), ("ITL", check.itl_error_ms)]
        .into_iter()
        .filter_map(|(name, error)| Some((name, error?)))
        .map(|(name, error)| {
            let cell = |label: &'static str, text: String| view! { <td class="numeric" data-label=label>{text}</td> };
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    {cell("p50, ms", figure(error.p50))}
                    {cell("p99, ms", figure(error.p99))}
                    {cell("Max, ms", figure(error.max))}
                    {cell("Compared", grouped(error.n))}
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Error of"),
        Column::figures("p50, ms"),
        Column::figures("p99, ms"),
        Column::figures("Max, ms"),
        Column::figures("Compared"),
    ];
    view! {
        <p>
            "Before the run, the same client measured a built-in engine whose true times are known, on the same machine."
        </p>
        <ul class="small">{sentences.into_iter().map(|sentence| view! { <li>{sentence}</li> }).collect_view()}</ul>
        <DataTable caption="The client's error against known times" columns=columns blocks=true>
            {rows}
        </DataTable>
        {when}
    }
    .into_any()
}

/// What an error means for the run's own figure: its median where one was measured.
fn meaning(what: &str, error: ClientError, measured: Option<(&str, f64)>) -> String {
    let by = format!("Error of its {what}: at most {} ms in 99 % of cases", figure(error.p99));
    let Some((name, value)) = measured.filter(|(_, value)| *value > 0.0) else { return format!("{by}.") };
    let share = error.p99 / value;
    let allowed = (value * SMALL_SHARE).max(SMALL_MS);
    let verdict = if error.p99 <= allowed { "the client did not falsify it" } else { "too much for the figure to stand" };
    format!("{by}, {} of this report's median {name} of {} ms; {verdict}.", percent(share), figure(value))
}

/// What is known of the client, in words.
fn health(health: &ClientHealth) -> Vec<(&'static str, String)> {
    let stamps = match health.timestamps.as_str() {
        "kernel" => "taken by the kernel as data arrives".to_owned(),
        "user" => "taken by the client after reading: the kernel gives none here".to_owned(),
        "" => "not said".to_owned(),
        other => other.to_owned(),
    };
    let coalesced = health
        .coalesced_events
        .zip(health.content_events)
        .map(|(shared, all)| format!("{} of {} content events share a receive time with another", grouped(shared), grouped(all)));
    let little = health.littles_law_ratio.map(|ratio| format!("{} (1 when Little's law holds)", figure(ratio)));
    [
        ("Receive times", Some(stamps)),
        ("Client's share of one core", health.cpu_share.map(percent)),
        ("Client's thread waited for a core", health.cpu_wait_share.map(percent)),
        ("Client's loop late, p99", health.loop_p99_ms.map(|ms| format!("{} ms", figure(ms)))),
        ("Client's loop late, at most", health.loop_max_ms.map(|ms| format!("{} ms", figure(ms)))),
        ("Clock jump", health.clock_jump_ms.map(|ms| format!("{} ms at most", figure(ms)))),
        ("Coalesced events", coalesced),
        ("In flight / (throughput × latency)", little),
        ("Largest memory", health.max_rss_bytes.map(bytes)),
        ("Connections opened anew", health.reconnects.map(grouped)),
    ]
    .into_iter()
    .filter_map(|(term, text)| Some((term, text?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_of_the_client_is_said() {
        let client = ClientHealth { timestamps: "kernel".to_owned(), cpu_share: Some(0.42), ..ClientHealth::default() };
        let said = health(&client);
        assert_eq!(said.len(), 2);
        assert_eq!(said[1], ("Client's share of one core", "42.0 %".to_owned()));
    }

    #[test]
    fn an_error_is_laid_beside_the_runs_own_figure() {
        let error = |p99| ClientError { p50: 0.01, p99, max: 9.0, n: 500 };
        let said = meaning("time to first token", error(0.05), Some(("TTFT", 50.0)));
        assert!(said.contains("0.0500 ms") && said.contains("0.100 % of this report's median TTFT of 50.0 ms"), "{said}");
        assert!(said.ends_with("did not falsify it."));
        // A millisecond is accepted even where it is much of a small figure; of a large one, five per cent are.
        assert!(meaning("gaps", error(0.9), Some(("ITL", 2.0))).ends_with("did not falsify it."));
        assert!(meaning("gaps", error(1.1), Some(("ITL", 2.0))).ends_with("to stand."));
        assert!(meaning("gaps", error(2.4), Some(("ITL", 50.0))).ends_with("did not falsify it."));
        assert_eq!(meaning("gaps", error(0.5), None), "Error of its gaps: at most 0.500 ms in 99 % of cases.");
    }
}
