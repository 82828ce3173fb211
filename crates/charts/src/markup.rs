//! A drawing as SVG, where no framework makes it of components.

use std::fmt::Write as _;

use crate::drawing::{Drawing, Mark};

/// Text as it stands in markup.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A drawing with a name and a description for screen readers. `at` are the pixels along the x axis of the rows of the table
/// that belongs to it, for a cursor.
pub fn svg(id: &str, title: &str, desc: &str, drawing: &Drawing, at: &[f64]) -> String {
    let size = drawing.size;
    let (name, width, height) = (size.name, size.width, size.height);
    let (title, desc) = (escaped(title), escaped(desc));
    let mut svg = format!(
        "<svg class=\"chart-{name}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"{id}-{name}-title {id}-{name}-desc\""
    );
    // Writing to a string does not fail.
    if let Some(plot) = drawing.plot.filter(|_| !at.is_empty()) {
        let places: Vec<String> = at.iter().map(|at| format!("{at:.0}")).collect();
        let _ = write!(
            svg,
            " data-at=\"{}\" data-span=\"{:.0} {:.0}\" data-axis=\"{id}\"",
            places.join(" "),
            plot.top(),
            plot.bottom()
        );
    }
    let _ = write!(svg, "><title id=\"{id}-{name}-title\">{title}</title><desc id=\"{id}-{name}-desc\">{desc}</desc>");
    for mark in &drawing.marks {
        let _ = match mark {
            Mark::Path { d, class } => write!(svg, "<path class=\"{class}\" d=\"{d}\"></path>"),
            Mark::Text { x, y, anchor, class, text } => write!(
                svg,
                "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{}\">{}</text>",
                anchor.into_str(),
                escaped(text)
            ),
        };
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::{Axis, NARROW};
    use crate::scale::ScaleKind;

    #[test]
    fn words_are_text_and_the_cursor_finds_its_rows() {
        let axis = |title: &str| Axis { kind: ScaleKind::Linear, domain: (0.0, 10.0), title: title.to_owned() };
        let (drawing, _) = Drawing::with_axes(NARROW, &axis("a < b"), &axis("y"), 0.0);
        let shown = svg("c", "T & t", "what \"is\" seen", &drawing, &[54.2, 336.0]);
        assert!(shown.contains("a &lt; b") && shown.contains("<title id=\"c-narrow-title\">T &amp; t</title>"), "{shown}");
        assert!(shown.contains("data-at=\"54 336\" data-span=\"28 196\""), "{shown}");
        assert!(!svg("c", "t", "d", &drawing, &[]).contains("data-at"));
    }
}
