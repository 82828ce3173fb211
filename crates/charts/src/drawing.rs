//! A drawing: paths and texts at pixel positions, computed by pure functions and rendered as SVG by one component. Many points
//! share one path, so that a chart has few elements however many points it has.

use std::fmt::Write as _;

use crate::number::tick;
use crate::scale::{Scale, ScaleKind};

/// The sizes of drawings; the style sheet shows one of them, so that text keeps its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    pub width: f64,
    pub height: f64,
    /// Part of the class and of ids.
    pub name: &'static str,
}

/// For wide screens.
pub const WIDE: Size = Size { width: 640.0, height: 320.0, name: "wide" };
/// For phones, and charts side by side.
pub const NARROW: Size = Size { width: 350.0, height: 240.0, name: "narrow" };
/// For live figures: scaled to the width of their card, which keeps text at about its size.
pub const LIVE: Size = Size { width: 440.0, height: 190.0, name: "live" };

/// How a text is aligned to its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Anchor {
    /// The text begins there.
    Start,
    Middle,
    /// The text ends there.
    End,
}

/// One element of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A path with its class.
    Path {
        d: String,
        /// Its class, by which the style sheet draws it.
        class: &'static str,
    },
    Text {
        x: f64,
        y: f64,
        anchor: Anchor,
        class: &'static str,
        text: String,
    },
}

/// A chart drawn at one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub size: Size,
    /// Its elements, from back to front.
    pub marks: Vec<Mark>,
    /// Its axes, where it has any.
    pub plot: Option<Plot>,
}

/// The description of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub kind: ScaleKind,
    /// Least and largest value.
    pub domain: (f64, f64),
    /// Name and unit: `TTFT, ms`.
    pub title: String,
}

/// The rectangle between the axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plot {
    pub x: Scale,
    pub y: Scale,
}

impl Plot {
    /// The left edge, pixels.
    pub fn left(&self) -> f64 {
        self.x.range.0
    }
    /// The right edge, pixels.
    pub fn right(&self) -> f64 {
        self.x.range.1
    }
    /// The upper edge, pixels.
    pub fn top(&self) -> f64 {
        self.y.range.1
    }
    /// The lower edge, pixels.
    pub fn bottom(&self) -> f64 {
        self.y.range.0
    }
}

impl Drawing {
    /// A drawing with two axes; `lane` pixels stay free between the plot and the x axis' labels.
    pub fn with_axes(size: Size, x: &Axis, y: &Axis, lane: f64) -> (Self, Plot) {
        let (left, right) = if size.name == WIDE.name { (62.0, 18.0) } else { (54.0, 14.0) };
        let (top, bottom) = (28.0, 44.0 + lane);
        let plot = Plot {
            x: Scale { kind: x.kind, domain: x.domain, range: (left, size.width - right) },
            y: Scale { kind: y.kind, domain: y.domain, range: (size.height - bottom, top) },
        };
        let mut drawing = Self { size, marks: Vec::new(), plot: Some(plot) };
        drawing.axes(&plot, x, y, lane);
        (drawing, plot)
    }

    fn axes(&mut self, plot: &Plot, x: &Axis, y: &Axis, lane: f64) {
        let (left, right, top, bottom) = (plot.left(), plot.right(), plot.top(), plot.bottom());
        let rows = if self.size.height > 200.0 { 5 } else { 4 };
        let columns = if self.size.name == WIDE.name { 8 } else { 5 };
        let mut grid = String::new();
        for value in plot.y.ticks(rows) {
            let at = plot.y.at(value);
            let _ = write!(grid, "M{left:.1} {at:.1}H{right:.1}");
            self.text(left - 6.0, at + 4.0, Anchor::End, "chart-tick", tick(value));
        }
        self.path(grid, "chart-grid");
        let base = bottom + lane;
        let mut stubs = format!("M{left:.1} {base:.1}H{right:.1}");
        let mut free_from = f64::MIN;
        for value in plot.x.ticks(columns) {
            let at = plot.x.at(value);
            let label = tick(value);
            let label = if x.kind == ScaleKind::Tail { format!("p{label}") } else { label };
            let half = label.len() as f64 * 3.6;
            let _ = write!(stubs, "M{at:.1} {base:.1}v4");
            // overlapping labels are left out; their tick marks stay
            if at - half >= free_from && at + half <= self.size.width {
                free_from = at + half + 6.0;
                self.text(at, base + 17.0, Anchor::Middle, "chart-tick", label);
            }
        }
        self.path(stubs, "chart-axis");
        self.text(f64::midpoint(left, right), self.size.height - 6.0, Anchor::Middle, "chart-name", x.title.clone());
        self.text(4.0, top - 14.0, Anchor::Start, "chart-name", y.title.clone());
    }

    /// Adds a path, unless it is empty.
    pub fn path(&mut self, d: String, class: &'static str) {
        if !d.is_empty() {
            self.marks.push(Mark::Path { d, class });
        }
    }

    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &'static str, text: String) {
        self.marks.push(Mark::Text { x, y, anchor, class, text });
    }

    /// Adds vertical rules with labels on top; labels that would overlap are put a line lower.
    pub fn rules(&mut self, plot: &Plot, rules: &[(f64, String)]) {
        // rules are drawn before the labels, so that they don't cross them
        let d = rules.iter().fold(String::new(), |mut d, (value, _)| {
            let _ = write!(d, "M{:.1} {:.1}V{:.1}", plot.x.at(*value), plot.top(), plot.bottom());
            d
        });
        self.path(d, "chart-rule");
        let mut taken: [f64; 3] = [f64::MIN; 3];
        for (value, name) in rules {
            let at = plot.x.at(*value);
            let width = word_width(self.size, name) + 6.0;
            let before = at + 4.0 + width > self.size.width;
            let begin = if before { at - 4.0 - width } else { at + 4.0 };
            let line = taken.iter().position(|until| *until <= begin).unwrap_or(taken.len() - 1);
            taken[line] = begin + width;
            let (x, anchor) = if before { (at - 4.0, Anchor::End) } else { (at + 4.0, Anchor::Start) };
            self.text(x, plot.top() + 10.0 + 16.0 * line as f64, anchor, "chart-rule-name", name.clone());
        }
    }
}

/// Approximate width of a text in pixels of the drawing. The wide drawing may be scaled down, with larger text.
pub fn word_width(size: Size, word: &str) -> f64 {
    word.chars().count() as f64 * if size.name == WIDE.name { 7.8 } else { 6.6 }
}

/// A polyline through points, interrupted where a value is not a number.
pub fn line(plot: &Plot, points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for (x, y) in points {
        if !(x.is_finite() && y.is_finite()) {
            pen_down = false;
            continue;
        }
        let _ = write!(d, "{}{:.1} {:.1}", if pen_down { 'L' } else { 'M' }, plot.x.at(x), plot.y.at(y));
        pen_down = true;
    }
    d
}

/// The area between two lines over the same x: `(x, low, high)`.
pub fn band(plot: &Plot, points: &[(f64, f64, f64)]) -> String {
    if points.len() < 2 {
        return String::new();
    }
    let mut d = line(plot, points.iter().map(|(x, _, high)| (*x, *high)));
    for (x, low, _) in points.iter().rev() {
        let _ = write!(d, "L{:.1} {:.1}", plot.x.at(*x), plot.y.at(*low));
    }
    d.push('Z');
    d
}

/// Marker shapes of the series, so that series differ by more than colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerShape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Plus,
    /// Series 6, and failures.
    Cross,
    Star,
}

/// Dots of a line's width at pixel positions, all in one path: a line of length 0 with a round cap is a dot, at a fifth of the
/// size of a circle's path. Dots within half a pixel of each other are drawn once.
pub fn dots(at: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut drawn = std::collections::HashSet::new();
    let mut d = String::new();
    for (x, y) in at {
        let (x, y) = ((x * 2.0).round(), (y * 2.0).round());
        if drawn.insert((x as i64, y as i64)) {
            let _ = write!(d, "M{} {}h0", x / 2.0, y / 2.0);
        }
    }
    d
}

/// A shape at each pixel position, all in one path; `r` is its half width.
pub fn markers(shape: MarkerShape, r: f64, at: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (x, y) in at {
        let _ = match shape {
            MarkerShape::Circle => write!(d, "M{:.1} {y:.1}a{r} {r} 0 1 0 {w} 0a{r} {r} 0 1 0 -{w} 0Z", x - r, w = 2.0 * r),
            MarkerShape::Square => write!(d, "M{:.1} {:.1}h{w}v{w}h-{w}Z", x - r, y - r, w = 2.0 * r),
            MarkerShape::Triangle => write!(d, "M{x:.1} {:.1}l{r} {w}h-{w}Z", y - r, w = 2.0 * r),
            MarkerShape::Diamond => write!(d, "M{x:.1} {:.1}l{r} {r}l-{r} {r}l-{r} -{r}Z", y - r),
            MarkerShape::Plus => write!(d, "M{:.1} {y:.1}h{w}M{x:.1} {:.1}v{w}", x - r, y - r, w = 2.0 * r),
            MarkerShape::Cross => write!(d, "M{:.1} {:.1}l{w} {w}M{:.1} {:.1}l-{w} {w}", x - r, y - r, x + r, y - r, w = 2.0 * r),
            MarkerShape::Star => {
                for corner in 0..10 {
                    let (turn, reach) =
                        (f64::from(corner) * std::f64::consts::PI / 5.0, if corner % 2 == 0 { r } else { r * 0.45 });
                    let pen = if corner == 0 { 'M' } else { 'L' };
                    let _ = write!(d, "{pen}{:.1} {:.1}", x + reach * turn.sin(), y - reach * turn.cos());
                }
                write!(d, "Z")
            }
        };
    }
    d
}

/// Upright error bars at pixel positions, `(x, low, high)`, all in one path.
pub fn error_bars(at: impl IntoIterator<Item = (f64, f64, f64)>) -> String {
    let mut d = String::new();
    for (x, low, high) in at {
        let left = x - 4.0;
        let _ = write!(d, "M{x:.1} {low:.1}V{high:.1}M{left:.1} {low:.1}h8M{left:.1} {high:.1}h8");
    }
    d
}

/// Slanted lines that fill a rectangle, clipped to it: `(left, top, right, bottom)`.
pub fn hatch((left, top, right, bottom): (f64, f64, f64, f64)) -> String {
    const GAP: f64 = 8.0;
    let (width, height) = (right - left, bottom - top);
    let mut d = String::new();
    if width < 1.0 || height < 1.0 {
        return d;
    }
    // Each line is x + y = offset, measured from the upper left corner.
    let mut offset = GAP;
    while offset < width + height {
        let (x1, y1) = if offset <= width { (offset, 0.0) } else { (width, offset - width) };
        let (x2, y2) = if offset <= height { (0.0, offset) } else { (offset - height, height) };
        let _ = write!(d, "M{:.1} {:.1}L{:.1} {:.1}", left + x1, top + y1, left + x2, top + y2);
        offset += GAP;
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        let scale = |range| Scale { kind: ScaleKind::Linear, domain: (0.0, 10.0), range };
        Plot { x: scale((0.0, 100.0)), y: scale((100.0, 0.0)) }
    }

    #[test]
    fn lines_break_where_there_is_no_value() {
        let d = line(&plot(), [(0.0, 0.0), (1.0, 1.0), (2.0, f64::NAN), (3.0, 3.0)]);
        assert_eq!(d, "M0.0 100.0L10.0 90.0M30.0 70.0");
    }

    #[test]
    fn a_band_is_a_closed_path() {
        assert_eq!(band(&plot(), &[(0.0, 1.0, 2.0), (1.0, 1.0, 3.0)]), "M0.0 80.0L10.0 70.0L10.0 90.0L0.0 90.0Z");
        assert_eq!(band(&plot(), &[(0.0, 1.0, 2.0)]), "");
    }

    #[test]
    fn hatching_stays_inside() {
        let d = hatch((10.0, 20.0, 40.0, 60.0));
        for pair in d.split(['M', 'L']).filter(|part| !part.is_empty()) {
            let (x, y) = pair.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((10.0..=40.0).contains(&x) && (20.0..=60.0).contains(&y), "{pair}");
        }
        assert_eq!(hatch((0.0, 0.0, 0.5, 10.0)), "");
    }

    #[test]
    fn each_size_keeps_its_words_inside_and_names_both_axes() {
        let axis = |title: &str| Axis { kind: ScaleKind::Linear, domain: (0.0, 98_765.0), title: title.to_owned() };
        for size in [WIDE, NARROW, LIVE] {
            let (drawing, plot) = Drawing::with_axes(size, &axis("Across, s"), &axis("Up, ms"), 0.0);
            assert!(plot.left() < plot.right() && plot.top() < plot.bottom());
            let words: Vec<_> = drawing
                .marks
                .iter()
                .filter_map(|mark| match mark {
                    Mark::Text { x, y, text, .. } => Some((*x, *y, text.as_str())),
                    Mark::Path { .. } => None,
                })
                .collect();
            assert!(words.iter().all(|(x, y, _)| (0.0..=size.width).contains(x) && (0.0..=size.height).contains(y)));
            assert!(words.iter().any(|(.., text)| *text == "Across, s") && words.iter().any(|(.., text)| *text == "Up, ms"));
        }
    }

    #[test]
    fn names_of_rules_lie_above_the_rules_and_apart_from_each_other() {
        let scale = |range| Scale { kind: ScaleKind::Linear, domain: (0.0, 100.0), range };
        let plot = Plot { x: scale((0.0, 600.0)), y: scale((300.0, 20.0)) };
        let mut drawing = Drawing { size: WIDE, marks: Vec::new(), plot: None };
        let rules = [("p50", 50.0), ("p90", 51.0), ("p99", 52.0)].map(|(name, at)| (at, name.to_owned()));
        drawing.rules(&plot, &rules);
        assert!(matches!(drawing.marks[0], Mark::Path { class: "chart-rule", .. }), "the names come after the rules");
        let lines: std::collections::HashSet<i64> = drawing
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Text { y, .. } => Some(*y as i64),
                Mark::Path { .. } => None,
            })
            .collect();
        assert_eq!(lines.len(), 3, "close together, each has a line of its own");
    }

    #[test]
    fn error_bars_have_ends() {
        assert_eq!(error_bars([(10.0, 90.0, 20.0)]), "M10.0 90.0V20.0M6.0 90.0h8M6.0 20.0h8");
        assert_eq!(error_bars([]), "");
    }

    #[test]
    fn many_points_are_one_path() {
        let d = markers(MarkerShape::Cross, 3.0, [(5.0, 5.0), (9.0, 9.0)]);
        assert_eq!(d.matches('M').count(), 4);
        assert_eq!(markers(MarkerShape::Circle, 2.0, []), "");
        assert_eq!(dots([(5.0, 5.1), (5.1, 5.0), (7.26, 5.0)]), "M5 5h0M7.5 5h0");
    }
}
