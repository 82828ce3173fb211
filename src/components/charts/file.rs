//! Charts as files: a standalone SVG drawing, and its figures as CSV.

use std::fmt::Write as _;

use super::drawing::{Drawing, Mark};
use super::{Chart, key_mark};
use crate::domain::text::spreadsheet_cell;
use dyno_measure::run::RunKind;

/// Height of a line of the key, pixels.
const KEY_LINE: f64 = 20.0;

/// The chart's wide drawing as an SVG document, in the light theme, with title and key. Styles are attributes of the elements,
/// since many programs ignore style sheets; `style/charts.css` has the same styles for pages.
pub fn svg_file(chart: &Chart, kind: RunKind) -> String {
    let simulated = kind == RunKind::Simulated;
    let Some(Drawing { size, marks, .. }) = chart.drawings.first() else { return String::new() };
    let (width, top) = (size.width, 28.0);
    let height = top + size.height + KEY_LINE * chart.key.len() as f64 + 8.0;
    let mut file = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>{title}</title>\n<desc>{desc}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"4\" y=\"18\" font-size=\"15\" font-weight=\"600\" fill=\"#1a1f26\">{title}</text>\n<g transform=\"translate(0 {top})\">\n",
        title = escaped(&if simulated { format!("{} (simulated)", chart.title) } else { chart.title.clone() }),
        desc = escaped(&chart.desc),
    );
    // writing to a string does not fail
    for mark in marks {
        let _ = match mark {
            Mark::Path { d, class } => writeln!(file, "<path d=\"{d}\" {}/>", mark_style(class, simulated)),
            Mark::Text { x, y, anchor, class, text } => writeln!(
                file,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{}\" fill=\"{}\">{}</text>",
                anchor.into_str(),
                if *class == "chart-tick" || *class == "chart-hint" { "#525c69" } else { "#1a1f26" },
                escaped(text)
            ),
        };
    }
    for (line, key) in chart.key.iter().enumerate() {
        let y = size.height + KEY_LINE * line as f64 + 4.0;
        let _ = writeln!(
            file,
            "<g transform=\"translate(4 {y})\"><path d=\"{}\" {}/><text x=\"32\" y=\"12\" fill=\"#525c69\">{}</text></g>",
            key_mark(key.class),
            mark_style(key.class, simulated),
            escaped(&key.text)
        );
    }
    file + "</g>\n</svg>\n"
}

/// The SVG attributes of a mark with this class; dashed or hollow if simulated.
fn mark_style(class: &str, simulated: bool) -> String {
    let words: Vec<&str> = class.split(' ').collect();
    let series = match words.iter().find_map(|word| word.strip_prefix("chart-s")?.parse::<u8>().ok()) {
        Some(2) => "#8c901d",
        Some(3) => "#b03576",
        Some(4) => "#0d99b3",
        Some(5) => "#546d32",
        Some(6) => "#c0787c",
        _ => "#265adf",
    };
    let dashes = match words.iter().find_map(|word| word.strip_prefix("chart-dash-")) {
        Some("2") => " stroke-dasharray=\"7 4\"",
        Some("3") => " stroke-dasharray=\"2 3\"",
        Some("4") => " stroke-dasharray=\"10 3 2 3\"",
        Some("5") => " stroke-dasharray=\"14 4\"",
        Some("6") => " stroke-dasharray=\"1 5\"",
        _ => "",
    };
    let line = |stroke: &str, width: f64, more: &str| format!("fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\"{more}");
    match words.first().copied().unwrap_or_default() {
        "chart-grid" => line("#d5dae1", 1.0, ""),
        "chart-axis" => line("#76808d", 1.0, ""),
        "chart-rule" => line("#1a1f26", 1.0, " stroke-dasharray=\"4 3\""),
        "chart-hatch" => line("#76808d", 1.0, " opacity=\".45\""),
        "chart-error" => line("#1a1f26", 1.5, ""),
        "chart-leader" => line("#1a1f26", 1.0, ""),
        "chart-cross" => line("#b3211b", 1.75, ""),
        "chart-limit" => line("#b3211b", 1.5, ""),
        "chart-fails" => line("#b3211b", 1.0, " opacity=\".35\""),
        "chart-line" => line(series, 2.0, if simulated { " stroke-dasharray=\"6 4\"" } else { dashes }),
        "chart-dot" | "chart-square" | "chart-triangle" | "chart-bar" if simulated => {
            format!("fill=\"#ffffff\" stroke=\"{series}\" stroke-width=\"1.5\"")
        }
        "chart-dashed" => line(series, 2.0, " stroke-dasharray=\"6 4\""),
        "chart-dots" => line(series, if words.contains(&"chart-dots-small") { 3.0 } else { 5.0 }, " stroke-linecap=\"round\""),
        "chart-band" => format!("fill=\"{series}\" opacity=\".22\""),
        "chart-hollow" | "chart-hollow-square" => format!("fill=\"#ffffff\" stroke=\"{series}\" stroke-width=\"1.75\""),
        "chart-star" => "fill=\"#1a1f26\"".to_owned(),
        _ => format!("fill=\"{series}\""),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The chart's figures as CSV, all rows, not rounded.
pub fn csv_file(chart: &Chart) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(chart.table.head.iter().map(|head| spreadsheet_cell(head)));
    for row in &chart.table.rows {
        let cells = row.iter().map(|cell| match cell.value {
            Some(value) => value.to_string(),
            None => spreadsheet_cell(&cell.text),
        });
        let _ = writer.write_record(cells);
    }
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::drawing::WIDE;
    use super::super::{Cell, Key, Table};
    use super::*;

    fn chart() -> Chart {
        let marks = vec![
            Mark::Path { d: "M0 0L1 1".to_owned(), class: "chart-line chart-s2" },
            Mark::Text {
                x: 1.0,
                y: 2.0,
                anchor: super::super::drawing::Anchor::End,
                class: "chart-tick",
                text: "a<b".to_owned(),
            },
        ];
        Chart {
            id: "c".to_owned(),
            title: "A & B".to_owned(),
            desc: "Both.".to_owned(),
            drawings: vec![Drawing { size: WIDE, marks, plot: None }],
            key: vec![Key { class: "chart-dot chart-s1", text: "p50".to_owned() }],
            table: Table {
                head: vec!["Load".to_owned(), "@of".to_owned()],
                rows: vec![vec![Cell::figure(1234.567), "=cmd, x".into()]],
                ..Table::default()
            },
        }
    }

    #[test]
    fn an_svg_file_is_standalone() {
        let file = svg_file(&chart(), RunKind::Measured);
        assert!(file.starts_with("<svg xmlns=") && file.ends_with("</svg>\n"));
        assert!(file.contains("stroke=\"#8c901d\"") && file.contains(">a&lt;b<") && file.contains("<title>A &amp; B</title>"));
        assert!(!file.contains("class="), "nothing depends on a style sheet");
        assert!(file.contains(">p50</text>"), "the key is there");
        let simulated = svg_file(&chart(), RunKind::Simulated);
        assert!(simulated.contains("B (simulated)</title>") && simulated.contains("stroke-dasharray=\"6 4\""), "{simulated}");
        assert!(!file.contains("simulated") && !file.contains("stroke-dasharray"));
    }

    #[test]
    fn series_have_the_colours_of_the_pages_light_theme() {
        let sheet = include_str!("../../../style/main.css");
        for number in 1..=6 {
            let (_, rest) = sheet.split_once(&format!("--s{number}: light-dark(")).unwrap();
            let light = &rest[..7];
            assert!(mark_style(&format!("chart-dot chart-s{number}"), false).contains(light), "--s{number} is {light}");
        }
    }

    #[test]
    fn figures_are_not_rounded_and_words_run_nothing() {
        assert_eq!(String::from_utf8(csv_file(&chart())).unwrap(), "Load,'@of\n1234.567,\"'=cmd, x\"\n");
    }
}
