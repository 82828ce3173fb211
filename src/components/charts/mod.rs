//! Charts as SVG, drawn on the server by pure functions: numeric axes with units, a name and a description for screen
//! readers, and the figures as a table behind each. They work without any script.

pub mod engine;
pub mod file;
pub mod histogram;
pub mod live;
pub mod over_time;
pub mod predicted;
pub mod sweep;
pub mod tail;
pub mod telemetry;

pub use dyno_charts::{drawing, labels, number, scale};
use leptos::prelude::*;

use crate::components::number::figure;
use drawing::{Drawing, Mark};
use dyno_measure::words::capital;
use scale::Scale;

/// A chart, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Unique on its page.
    pub id: String,
    pub title: String,
    /// The description for screen readers.
    pub desc: String,
    /// The drawing at each size.
    pub drawings: Vec<Drawing>,
    /// The key, where the marks need explanation.
    pub key: Vec<Key>,
    pub table: Table,
}

/// One entry of a chart's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub class: &'static str,
    pub text: String,
}

/// A cell of a chart's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The text on pages.
    pub text: String,
    /// The value in files, not rounded; absent for texts.
    pub value: Option<f64>,
}

impl Cell {
    pub fn figure(value: f64) -> Self {
        Self::of(value, figure(value))
    }

    /// A value with a text of its own.
    pub fn of(value: f64, text: String) -> Self {
        Self { text, value: Some(value) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, value: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl PartialEq<&str> for Cell {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

/// The figures of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub head: Vec<String>,
    /// All rows; a page shows a selection where they are many.
    pub rows: Vec<Vec<Cell>>,
    /// The columns with begin and end of a row on the x axis.
    pub along: (usize, usize),
}

/// Most rows of a chart's table on a page; of more points every second, third … is shown.
const TABLE_ROWS: usize = 200;

impl Table {
    /// A table of points.
    pub fn of_points<P, C: Into<Cell>>(head: Vec<String>, points: &[P], row: impl Fn(&P) -> Vec<C>) -> Self {
        Self { head, rows: points.iter().map(|point| row(point).into_iter().map(Into::into).collect()).collect(), along: (0, 0) }
    }

    /// Sets the columns with begin and end of a row on the x axis; equal for a single position.
    #[must_use]
    pub fn along(self, from: usize, to: usize) -> Self {
        Self { along: (from, to), ..self }
    }

    /// Pixel positions of the shown rows along an axis; `None` where one has no position.
    fn places(&self, x: &Scale) -> Option<Vec<String>> {
        let at = |row: &Vec<Cell>, column: usize| Some(x.at(row.get(column)?.value?));
        let place = |row: &Vec<Cell>| Some(format!("{:.0}", f64::midpoint(at(row, self.along.0)?, at(row, self.along.1)?)));
        self.rows.iter().step_by(self.every()).map(place).collect()
    }

    /// The page shows every n-th row.
    fn every(&self) -> usize {
        self.rows.len().div_ceil(TABLE_ROWS).max(1)
    }

    fn caption(&self, title: &str) -> String {
        match self.every() {
            1 => title.to_owned(),
            2 => format!("{title}; every second point"),
            3 => format!("{title}; every third point"),
            every => format!("{title}; every {every}th point"),
        }
    }
}

/// The addresses of a page's charts as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartFiles {
    /// The path up to a chart's id.
    pub folder: String,
    /// The query after the file name, which selects the load point.
    pub query: String,
}

/// A chart with its title, key and table.
#[component]
pub fn ChartFigure(
    chart: Chart,
    /// The addresses of its files; absent where there are none.
    #[prop(optional)]
    files: Option<ChartFiles>,
) -> impl IntoView {
    let Chart { id, title, desc, drawings, key, table } = chart;
    let caption = table.caption(&title);
    let links = files.map(|ChartFiles { folder, query }| {
        let link = |kind: &'static str, text: &'static str| {
            view! {
                <a href=format!("{folder}/{id}.{kind}{query}") download=format!("{id}.{kind}")>
                    {text}
                    <span class="visually-hidden">{format!(" of {title}")}</span>
                </a>
            }
        };
        view! {
            <span class="chart-files">
                // made from the SVG by the `ChartCursor` island
                <button type="button" hidden data-png=format!("{id}.png")>
                    "PNG"
                    <span class="visually-hidden">{format!(" of {title}")}</span>
                </button>
                {link("svg", "SVG")} {link("csv", "CSV")}
            </span>
        }
    });
    view! {
        <figure class="chart" id=id.clone()>
            <figcaption>{title.clone()} {links}</figcaption>
            {drawings
                .into_iter()
                .map(|drawing| svg(&id, &title, &desc, drawing, &table))
                .collect_view()}
            {(!key.is_empty()).then(|| view! { <ul class="chart-key">{key.into_iter().map(key_entry).collect_view()}</ul> })}
            <details class="chart-data">
                <summary>"Figures as a table"</summary>
                <div class="chart-scroll" tabindex="0">{data_table(caption, table)}</div>
            </details>
        </figure>
    }
}

fn svg(id: &str, title: &str, desc: &str, drawing: Drawing, table: &Table) -> impl IntoView + use<> {
    let size = drawing.size;
    let (title_id, desc_id) = (format!("{id}-{}-title", size.name), format!("{id}-{}-desc", size.name));
    let labels = format!("{title_id} {desc_id}");
    // For the `ChartCursor` island: positions of the table's rows, extent of its line, and the axis that charts share.
    let at = drawing.plot.and_then(|plot| Some((plot, table.places(&plot.x)?))).filter(|(_, places)| !places.is_empty());
    let span = at.as_ref().map(|(plot, _)| format!("{:.0} {:.0}", plot.top(), plot.bottom()));
    let axis = at.as_ref().map(|(plot, _)| format!("{:?} {:?}", plot.x.kind, plot.x.domain));
    let places = at.map(|(_, places)| places.join(" "));
    view! {
        <svg
            class=format!("chart-{}", size.name)
            viewBox=format!("0 0 {} {}", size.width, size.height)
            width=size.width.to_string()
            height=size.height.to_string()
            role="img"
            aria-labelledby=labels
            data-at=places
            data-span=span
            data-axis=axis
        >
            <title id=title_id>{title.to_owned()}</title>
            <desc id=desc_id>{desc.to_owned()}</desc>
            {drawing.marks.into_iter().map(mark).collect_view()}
        </svg>
    }
}

fn mark(mark: Mark) -> AnyView {
    match mark {
        Mark::Path { d, class } => view! { <path class=class d=d /> }.into_any(),
        Mark::Text { x, y, anchor, class, text } => {
            let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
            view! { <text class=class x=x y=y text-anchor=anchor.into_str()>{text}</text> }.into_any()
        }
    }
}

/// The path of a key's mark, in a box of 24 by 16.
fn key_mark(class: &str) -> String {
    match class.split(' ').next() {
        Some("chart-line" | "chart-dashed" | "chart-limit") => "M1 8H23".to_owned(),
        Some("chart-dot" | "chart-hollow") => drawing::markers(drawing::MarkerShape::Circle, 4.0, [(12.0, 8.0)]),
        Some("chart-square" | "chart-hollow-square") => drawing::markers(drawing::MarkerShape::Square, 4.0, [(12.0, 8.0)]),
        Some("chart-triangle") => drawing::markers(drawing::MarkerShape::Triangle, 4.0, [(12.0, 8.0)]),
        Some("chart-diamond") => drawing::markers(drawing::MarkerShape::Diamond, 5.0, [(12.0, 8.0)]),
        Some("chart-plus") => drawing::markers(drawing::MarkerShape::Plus, 4.0, [(12.0, 8.0)]),
        Some("chart-star") => drawing::markers(drawing::MarkerShape::Star, 7.0, [(12.0, 8.0)]),
        Some("chart-cross") => drawing::markers(drawing::MarkerShape::Cross, 4.0, [(12.0, 8.0)]),
        Some("chart-error") => drawing::error_bars([(12.0, 14.0, 2.0)]),
        Some("chart-hatch" | "chart-fails") => drawing::hatch((2.0, 2.0, 22.0, 14.0)),
        _ => "M2 3H22V13H2Z".to_owned(),
    }
}

fn key_entry(key: Key) -> impl IntoView {
    let d = key_mark(key.class);
    view! {
        <li>
            <svg width="24" height="16" viewBox="0 0 24 16" aria-hidden="true">
                <path class=key.class d=d />
            </svg>
            {key.text}
        </li>
    }
}

fn data_table(caption: String, table: Table) -> impl IntoView {
    let every = table.every();
    view! {
        <table class="figures">
            <caption>{caption}</caption>
            <thead>
                <tr>{table.head.into_iter().map(|head| view! { <th scope="col">{head}</th> }).collect_view()}</tr>
            </thead>
            <tbody>
                {table
                    .rows
                    .into_iter()
                    .step_by(every)
                    .map(|row| view! { <tr>{row.into_iter().map(|cell| view! { <td>{cell.text}</td> }).collect_view()}</tr> })
                    .collect_view()}
            </tbody>
        </table>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_many_points_is_thinned_out_and_says_so() {
        let points: Vec<u32> = (0..1267).collect();
        let table = Table::of_points(vec!["n".to_owned()], &points, |n| vec![n.to_string()]);
        assert_eq!(table.rows.len(), 1267, "a file has all of them");
        assert_eq!(table.caption("TTFT over the run"), "TTFT over the run; every 7th point");
        let shown = data_table(String::new(), table).into_any().to_html();
        assert!(shown.matches("<td>").count() <= TABLE_ROWS, "{shown}");
        let few = Table::of_points(vec!["n".to_owned()], &points[..3], |n| vec![n.to_string()]);
        assert_eq!((few.rows.len(), few.caption("TTFT")), (3, "TTFT".to_owned()));
    }

    #[test]
    fn the_cursor_knows_where_the_rows_are_that_the_page_shows() {
        let x = Scale { kind: scale::ScaleKind::Linear, domain: (0.0, 100.0), range: (50.0, 250.0) };
        let of = |points: &[f64]| {
            Table::of_points(vec!["a".to_owned()], points, |at| vec![Cell::figure(*at), Cell::figure(at + 10.0)])
        };
        assert_eq!(of(&[0.0, 50.0]).places(&x).unwrap(), ["50", "150"]);
        assert_eq!(of(&[0.0, 50.0]).along(0, 1).places(&x).unwrap(), ["60", "160"], "the middle of a bin");
        let many: Vec<f64> = (0..401).map(f64::from).collect();
        assert_eq!(of(&many).places(&x).unwrap().len(), 134, "every third");
        let worded = Table::of_points(vec!["a".to_owned()], &[()], |()| vec!["not measured"]);
        assert_eq!(worded.places(&x), None);
    }
}
