//! Charts as SVG, drawn on the server by pure functions: numeric axes with units, a name and a description for screen
//! readers, and the figures as a table behind each. They work without any script.

pub mod drawing;
pub mod engine;
pub mod histogram;
pub mod labels;
pub mod live;
pub mod number;
pub mod over_time;
pub mod scale;
pub mod sweep;
pub mod tail;

use leptos::prelude::*;

use drawing::{Drawing, Mark};

/// A chart, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Unique on its page.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What is seen, in words.
    pub desc: String,
    /// The same at each size.
    pub drawings: Vec<Drawing>,
    /// What the marks mean, where it isn't plain.
    pub key: Vec<Key>,
    /// The figures.
    pub table: Table,
}

/// One entry of a chart's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The mark's class.
    pub class: &'static str,
    /// What it means.
    pub text: String,
}

/// The figures of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Columns, with units.
    pub head: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
    /// Whether these are only some of the points: every second one, every third …
    pub every: usize,
}

/// Rows of a chart's table; of more points only every second, third … has one.
const TABLE_ROWS: usize = 200;

impl Table {
    /// A table of points, thinned out where there are many.
    pub fn of_points<P>(head: Vec<String>, points: &[P], row: impl Fn(&P) -> Vec<String>) -> Self {
        let every = points.len().div_ceil(TABLE_ROWS).max(1);
        Self { head, rows: points.iter().step_by(every).map(row).collect(), every }
    }

    /// What is said above the table.
    fn caption(&self, title: &str) -> String {
        match self.every {
            0 | 1 => title.to_owned(),
            2 => format!("{title}; every second point"),
            3 => format!("{title}; every third point"),
            every => format!("{title}; every {every}th point"),
        }
    }
}

/// A chart with its title, key and table.
#[component]
pub fn ChartFigure(chart: Chart) -> impl IntoView {
    let Chart { id, title, desc, drawings, key, table } = chart;
    let caption = table.caption(&title);
    view! {
        <figure class="chart" id=id.clone()>
            <figcaption>{title.clone()}</figcaption>
            {drawings
                .into_iter()
                .map(|drawing| svg(&id, &title, &desc, drawing))
                .collect_view()}
            {(!key.is_empty()).then(|| view! { <ul class="chart-key">{key.into_iter().map(key_entry).collect_view()}</ul> })}
            <details class="chart-data">
                <summary>"Figures as a table"</summary>
                <div class="chart-scroll" tabindex="0">{data_table(caption, table)}</div>
            </details>
        </figure>
    }
}

fn svg(id: &str, title: &str, desc: &str, drawing: Drawing) -> impl IntoView + use<> {
    let size = drawing.size;
    let (title_id, desc_id) = (format!("{id}-{}-title", size.name), format!("{id}-{}-desc", size.name));
    let labels = format!("{title_id} {desc_id}");
    view! {
        <svg
            class=format!("chart-{}", size.name)
            viewBox=format!("0 0 {} {}", size.width, size.height)
            width=size.width.to_string()
            height=size.height.to_string()
            role="img"
            aria-labelledby=labels
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
            view! { <text class=class x=x y=y text-anchor=anchor.as_str()>{text}</text> }.into_any()
        }
    }
}

fn key_entry(key: Key) -> impl IntoView {
    let d = match key.class.split(' ').next() {
        Some("chart-line" | "chart-dashed" | "chart-limit") => "M1 8H23".to_owned(),
        Some("chart-dot" | "chart-hollow") => drawing::markers(drawing::Shape::Circle, 4.0, [(12.0, 8.0)]),
        Some("chart-square") => drawing::markers(drawing::Shape::Square, 4.0, [(12.0, 8.0)]),
        Some("chart-triangle") => drawing::markers(drawing::Shape::Triangle, 4.0, [(12.0, 8.0)]),
        Some("chart-diamond") => drawing::markers(drawing::Shape::Diamond, 5.0, [(12.0, 8.0)]),
        Some("chart-plus") => drawing::markers(drawing::Shape::Plus, 4.0, [(12.0, 8.0)]),
        Some("chart-star") => drawing::markers(drawing::Shape::Star, 7.0, [(12.0, 8.0)]),
        Some("chart-cross") => drawing::markers(drawing::Shape::Cross, 4.0, [(12.0, 8.0)]),
        Some("chart-hatch" | "chart-fails") => drawing::hatch((2.0, 2.0, 22.0, 14.0)),
        _ => "M2 3H22V13H2Z".to_owned(),
    };
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
                    .map(|row| view! { <tr>{row.into_iter().map(|cell| view! { <td>{cell}</td> }).collect_view()}</tr> })
                    .collect_view()}
            </tbody>
        </table>
    }
}

/// A word at the beginning of a title.
fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_many_points_is_thinned_out_and_says_so() {
        let points: Vec<u32> = (0..1267).collect();
        let table = Table::of_points(vec!["n".to_owned()], &points, |n| vec![n.to_string()]);
        assert!(table.rows.len() <= TABLE_ROWS);
        assert_eq!(table.caption("TTFT over the run"), "TTFT over the run; every 7th point");
        let few = Table::of_points(vec!["n".to_owned()], &points[..3], |n| vec![n.to_string()]);
        assert_eq!((few.rows.len(), few.caption("TTFT")), (3, "TTFT".to_owned()));
    }
}
