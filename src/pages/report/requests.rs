//! The table of requests: sorted, filtered and paged by the server, its state in the address.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use uuid::Uuid;

use super::errors::class_name;
use super::section::Section;
use crate::api::functions::report::{REQUEST_ROWS, RequestPage, load_requests};
use crate::components::banner::{Banner, Empty, Notice};
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::definition::{Definition, Definitions};
use crate::components::field::{SelectField, TextField};
use crate::components::icon::{Icon, IconName};
use crate::components::menu::DropDown;
use crate::components::metric::TermMark;
use crate::components::number::{figure, grouped};
use crate::components::table::{repeatable, with_query};
use crate::domain::list::ListQuery;
use dyno_measure::metrics::metric;
use dyno_measure::report::{Phase, Report, RequestRecord};

/// Title, column of the server, and whether it holds figures.
const COLUMNS: [(&str, &str, bool); 10] = [
    ("Request", "seq", false),
    ("Node", "node", false),
    ("Phase", "phase", false),
    ("Sent, s", "sent_unix_ns", true),
    ("TTFT, ms", "ttft_ms", true),
    ("TPOT, ms", "tpot_ms", true),
    ("E2E, ms", "e2el_ms", true),
    ("Input tokens", "input_tokens", true),
    ("Output tokens", "output_tokens", true),
    ("Outcome", "error_class", false),
];

/// What a phone sorts by; wider pages sort at the columns' heads.
const SORTS: [(&str, &str); 8] = [
    ("seq", "As they ended"),
    ("sent_unix_ns", "As they were sent"),
    ("-ttft_ms", "Longest TTFT first"),
    ("-tpot_ms", "Longest TPOT first"),
    ("-e2el_ms", "Longest E2E first"),
    ("-output_tokens", "Most output tokens first"),
    ("-error_class", "Failed first"),
    ("node", "By node"),
];

/// What the address asks for.
fn asked(params: &ParamsMap) -> ListQuery {
    let text = |name: &str| params.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    ListQuery {
        search: text("search"),
        status: text("status"),
        sort: text("sort"),
        page: text("page").and_then(|page| page.parse().ok()),
        ..ListQuery::default()
    }
}

/// The requests of a run.
#[component]
pub fn Requests(
    run: Uuid,
    path: String,
    query: Memo<ParamsMap>,
    /// For the choices of the filter.
    report: Report,
) -> impl IntoView {
    // When another load point is chosen, this section is drawn anew while the old one still stands and follows the address:
    // what both hold lives as long as the last of them.
    let asks = ArcMemo::new(move |_| query.with(asked));
    let asked_for = asks.clone();
    let data = ArcResource::new(move || asked_for.get(), move |asks| load_requests(run, asks));
    let mut choices: Vec<(String, String)> =
        [("", "All"), ("measured", "Measured"), ("warmup", "Warm-up"), ("ok", "Succeeded"), ("error", "Failed")]
            .map(|(value, text)| (value.to_owned(), text.to_owned()))
            .into();
    let classes: std::collections::BTreeSet<&String> =
        report.load_points.iter().flat_map(|point| point.summary.errors.keys()).collect();
    choices.extend(classes.into_iter().map(|class| (class.clone(), format!("Failed: {}", class.replace('_', " ")))));
    let api = format!("/api/v1/runs/{run}/requests?format=");
    let (filtered, action) = (asks.clone(), format!("{path}#requests"));
    let filter = move || {
        let asks = filtered.get();
        let hidden = ["sort", "figures", "point"]
            .into_iter()
            .filter_map(|name| Some((name, query.with(|query| repeatable(query).get(name))?)))
            .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
            .collect_view();
        view! {
            <form class="form-inline" method="get" action=action.clone()>
                {hidden}
                <SelectField name="status" label="Show" options=choices.clone() value=asks.status.unwrap_or_default() />
                <TextField name="search" label="Node or request id" kind="search" value=asks.search.unwrap_or_default() />
                <Submit text="Filter" />
            </form>
        }
    };
    view! {
        <Section id="requests" title="Requests">
                <p class="row small">
                    "Export:"
                    {[("csv", "CSV"), ("ndjson", "NDJSON"), ("json&page_size=500", "JSON, 500 a page")]
                        .into_iter()
                        .map(|(format, text)| {
                            view! {
                                <a href=format!("{api}{format}")>
                                    {text}
                                </a>
                            }
                        })
                        .collect_view()}
                </p>
            {filter}
            <Transition>
                {move || {
                    let (data, asks, path) = (data.clone(), asks.clone(), path.clone());
                    Suspend::new(async move {
                        let asks = asks.get_untracked();
                        match data.await {
                            Ok(found) => {
                                let params = query.with_untracked(repeatable);
                                view! { <Table found=found asks=asks path=path params=params /> }.into_any()
                            }
                            Err(error) => view! { <Banner notice=Notice::Error><p>{error.0.detail}</p></Banner> }.into_any(),
                        }
                    })
                }}
            </Transition>
        </Section>
    }
    .into_any()
}

#[component]
fn Table(found: RequestPage, asks: ListQuery, path: String, params: ParamsMap) -> impl IntoView {
    let RequestPage { page, origin_unix_ns: origin } = found;
    if page.items.is_empty() {
        let clear = format!("{path}#requests");
        return view! {
            <Empty message="No requests match.">
                <LinkButton href=clear.clone() text="Clear filters" />
            </Empty>
        }
        .into_any();
    }
    let sort = asks.sort.clone().unwrap_or_else(|| "seq".to_owned());
    let number = asks.page();
    let total = page.total;
    let link = |changes: &[(&'static str, Option<String>)]| format!("{}#requests", with_query(&path, &params, changes));
    let headers = COLUMNS
        .into_iter()
        .map(|(title, column, numeric)| {
            let descending = sort.strip_prefix('-') == Some(column);
            let ascending = sort == column;
            // Figures are asked for from the largest: the slow requests are what is looked for.
            let next = if descending || (!ascending && !numeric) { column.to_owned() } else { format!("-{column}") };
            let mark = if ascending { Some(IconName::Up) } else { descending.then_some(IconName::Down) };
            let direction = if ascending { Some("ascending") } else { descending.then_some("descending") };
            view! {
                <th scope="col" class=numeric.then_some("numeric") aria-sort=direction>
                    <a href=link(&[("sort", Some(next)), ("page", None)])>{title} {mark.map(|mark| view! { <Icon name=mark /> })}</a>
                    {metric(column).map(|metric| view! { <TermMark id=metric.id /> })}
                </th>
            }
        })
        .collect_view();
    let sorts = SORTS
        .into_iter()
        .map(|(order, text)| {
            let current = (order == sort).then_some("true");
            view! {
                <li>
                    <a href=link(&[("sort", Some(order.to_owned())), ("page", None)]) aria-current=current>
                        {text}
                    </a>
                </li>
            }
        })
        .collect_view();
    let sorted = SORTS.iter().find(|(order, _)| *order == sort).map(|(_, text)| format!("Sort: {text}"));
    let sorted = sorted.unwrap_or_else(|| "Sort".to_owned());
    let first = u64::from(number - 1) * u64::from(REQUEST_ROWS) + 1;
    let last = (first + page.items.len() as u64).saturating_sub(1);
    let turn = |to: u32, text: &'static str, rel: &'static str| {
        view! { <a class=Look::Plain.class() rel=rel href=link(&[("page", Some(to.to_string()))])>{text}</a> }
    };
    let previous = (number > 1).then(|| turn(number - 1, "Previous", "prev"));
    let next = (last < total).then(|| turn(number + 1, "Next", "next"));
    let shown: Vec<ShownRequest> = page.items.into_iter().map(|record| ShownRequest::new(record, origin)).collect();
    view! {
        <div class="phone-only">
            <DropDown id="sort-requests" text=sorted>
                <ul class="menu-links">{sorts}</ul>
            </DropDown>
        </div>
        <ul class="load-folds request-folds phone-only" aria-label="Requests of the run">
            {shown.iter().map(ShownRequest::fold).collect_view()}
        </ul>
        <div class="table-scroll phone-hidden" tabindex="0" role="region" aria-label="Table of requests">
            <table class="table">
                <caption class="visually-hidden">"Requests of the run"</caption>
                <thead>
                    <tr>{headers}</tr>
                </thead>
                <tbody>{shown.iter().map(ShownRequest::row).collect_view()}</tbody>
            </table>
        </div>
        <nav class="pager" aria-label="Pages of the requests">
            <p class="muted">{format!("{} to {} of {}", grouped(first), grouped(last), grouped(total))}</p>
            <div class="row">{previous} {next}</div>
        </nav>
    }
    .into_any()
}

/// What is shown of a request.
struct ShownRequest {
    id: String,
    /// In the order of [`COLUMNS`], without the first.
    cells: [String; COLUMNS.len() - 1],
    is_warmup: bool,
    /// What the error was, where it failed.
    error: Option<String>,
    has_failed: bool,
    ttft_ms: Option<f64>,
    e2el_ms: Option<f64>,
}

impl ShownRequest {
    /// `origin`: when the first measured request was sent.
    fn new(record: RequestRecord, origin: Option<i64>) -> Self {
        let known = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), figure);
        let tokens = |value: Option<u32>| value.map_or_else(|| "none".to_owned(), |value| grouped(u64::from(value)));
        let sent = record.sent_unix_ns.zip(origin).map_or_else(
            || "never sent".to_owned(),
            |(sent, origin)| format!("{:.3}", (sent - origin) as f64 / 1e9).replace('-', "\u{2212}"),
        );
        let is_warmup = record.phase == Phase::Warmup;
        let phase = if is_warmup { "warm-up" } else { "measured" };
        let has_failed = record.error_class.is_some();
        let outcome = match record.error_class {
            None => record.finish_reason.unwrap_or_else(|| "ok".to_owned()),
            Some(class) => class_name(class),
        };
        Self {
            id: record.id,
            cells: [
                record.node,
                phase.to_owned(),
                sent,
                known(record.ttft_ms),
                known(record.tpot_ms),
                known(record.e2el_ms),
                tokens(record.input_tokens),
                tokens(record.output_tokens),
                outcome,
            ],
            is_warmup,
            error: record.error,
            has_failed,
            ttft_ms: record.ttft_ms,
            e2el_ms: record.e2el_ms,
        }
    }

    fn outcome(&self) -> AnyView {
        let class = self.has_failed.then_some("outcome-failed");
        let text = self.cells.last().cloned().unwrap_or_default();
        view! { <span class=class title=self.error.clone()>{text}</span> }.into_any()
    }

    /// Its title and its text: those of all columns but the first.
    fn named(&self) -> impl Iterator<Item = (&'static str, bool, AnyView)> + '_ {
        COLUMNS.into_iter().skip(1).zip(&self.cells).map(|((title, column, numeric), text)| {
            (title, numeric, if column == "error_class" { self.outcome() } else { text.clone().into_any() })
        })
    }

    /// A row of the table.
    fn row(&self) -> AnyView {
        let cells = self
            .named()
            .map(|(title, numeric, text)| {
                view! {
                    <td class=numeric.then_some("numeric") data-label=title>
                        {text}
                    </td>
                }
            })
            .collect_view();
        view! {
            <tr>
                <th scope="row" class="mono">{self.id.clone()}</th>
                {cells}
            </tr>
        }
        .into_any()
    }

    /// The line of a phone: which request, how long it took, whether it failed. All else is behind it.
    fn fold(&self) -> AnyView {
        // what is before it is the run's
        let short = self.id.rsplit('-').next().unwrap_or_default().to_owned();
        let figures = [("TTFT", self.ttft_ms), ("E2E", self.e2el_ms)].into_iter().filter_map(|(name, value)| {
            value.map(|value| {
                view! {
                    <span class="load-fold-figure">
                        <span class="muted">{format!("{name} ")}</span>
                        {format!("{} ms", figure(value))}
                    </span>
                }
            })
        });
        let warmup = self.is_warmup.then(|| view! { <span class="muted">"warm-up"</span> });
        let failed = self.has_failed.then(|| {
            view! {
                <span class="nowrap outcome-failed">
                    <Icon name=IconName::Cross />
                    {self.cells.last().cloned().unwrap_or_default()}
                </span>
            }
        });
        let rest = self.named().map(|(title, _, text)| view! { <Definition term=title>{text}</Definition> }).collect_view();
        let id = self.id.clone();
        let error = self.error.clone().map(|error| view! { <p class="small">{error}</p> });
        view! {
            <li>
                <details>
                    <summary>
                        <span class="load-fold-figures">
                            <strong class="mono">{short}</strong>
                            {figures.collect_view()}
                            {warmup}
                            {failed}
                        </span>
                    </summary>
                    {error}
                    <Definitions>
                        <Definition term="Request">
                            <span class="mono">{id}</span>
                        </Definition>
                        {rest}
                    </Definitions>
                </details>
            </li>
        }
        .into_any()
    }
}
