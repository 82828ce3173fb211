//! Places labels beside points, so that none covers a mark, another label or the plot's edge.

use super::drawing::{Anchor, Plot, Size, WIDE, word_width};

/// A rectangle: left, top, right, bottom.
type Area = (f64, f64, f64, f64);

/// The occupied areas of a plot.
pub struct Labels {
    size: Size,
    within: Area,
    taken: Vec<Area>,
}

impl Labels {
    pub fn on(size: Size, plot: &Plot) -> Self {
        Self { size, within: (plot.left(), plot.top() - 6.0, plot.right() + 6.0, plot.bottom()), taken: Vec::new() }
    }

    /// Reserves the area of a mark with half width `r`.
    pub fn keep_clear(&mut self, x: f64, y: f64, r: f64) {
        self.taken.push((x - r, y - r, x + r, y + r));
    }

    /// Reserves the area of a line through points.
    pub fn keep_clear_of_line(&mut self, points: &[(f64, f64)]) {
        for pair in points.windows(2) {
            let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
            let steps = ((x2 - x1).hypot(y2 - y1) / 8.0).ceil().max(1.0);
            // at most a few hundred pixels
            for step in 0..=(steps as u32) {
                let share = f64::from(step) / steps;
                self.keep_clear(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share, 2.0);
            }
        }
    }

    /// A free position for a mark with half width `r` beside a point; above it if none is free.
    pub fn place_mark(&mut self, (x, y): (f64, f64), r: f64) -> (f64, f64) {
        let (near, far) = (r + 8.0, r + 16.0);
        let around = |off: f64| {
            let slant = off * 0.75;
            [(0.0, -off), (slant, -slant), (-slant, -slant), (off, 0.0), (-off, 0.0), (0.0, off), (slant, slant), (-slant, slant)]
        };
        let mut places = around(near).into_iter().chain(around(far)).map(|(dx, dy)| (x + dx, y + dy));
        let found = places.find(|(x, y)| self.is_free((x - r, y - r, x + r, y + r))).unwrap_or((x, y - near));
        self.keep_clear(found.0, found.1, r);
        found
    }

    /// The first of these positions where the text is free, else the first of all.
    pub fn place_at(&mut self, places: &[(f64, f64, Anchor)], word: &str) -> Option<(f64, f64, Anchor)> {
        let found = places.iter().find(|place| self.is_free(self.area(**place, word))).or_else(|| places.first()).copied()?;
        self.taken.push(self.area(found, word));
        Some(found)
    }

    /// The area of a text.
    fn area(&self, (x, y, anchor): (f64, f64, Anchor), word: &str) -> Area {
        let width = word_width(self.size, word);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        (left - 2.0, y - self.height() + 3.0, left + width + 2.0, y + 3.0)
    }

    fn height(&self) -> f64 {
        if self.size.name == WIDE.name { 15.0 } else { 12.0 }
    }

    /// A free position and alignment for a text beside a point; `None` if all are occupied.
    pub fn place(&mut self, (x, y): (f64, f64), word: &str) -> Option<(f64, f64, Anchor)> {
        let height = self.height();
        let side = 9.0;
        let places = [
            (x + side, y - 5.0, Anchor::Start),
            (x - side, y - 5.0, Anchor::End),
            (x + side, y + height, Anchor::Start),
            (x - side, y + height, Anchor::End),
            (x, y - 11.0, Anchor::Middle),
            (x, y + height + 7.0, Anchor::Middle),
            (x + 2.0 * side, y + height / 3.0, Anchor::Start),
            (x - 2.0 * side, y + height / 3.0, Anchor::End),
        ];
        let found = places.into_iter().find(|place| self.is_free(self.area(*place, word)))?;
        self.taken.push(self.area(found, word));
        Some(found)
    }

    fn is_free(&self, area: Area) -> bool {
        let inside = area.0 >= self.within.0 && area.1 >= self.within.1 && area.2 <= self.within.2 && area.3 <= self.within.3;
        let meets = |other: &Area| area.0 < other.2 && other.0 < area.2 && area.1 < other.3 && other.1 < area.3;
        inside && !self.taken.iter().any(meets)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::{Scale, ScaleKind};
    use super::*;

    fn labels() -> Labels {
        let scale = |range| Scale { kind: ScaleKind::Linear, domain: (0.0, 1.0), range };
        Labels::on(WIDE, &Plot { x: scale((0.0, 200.0)), y: scale((100.0, 0.0)) })
    }

    #[test]
    fn two_points_at_one_place_have_their_words_apart() {
        let mut labels = labels();
        labels.keep_clear(100.0, 50.0, 5.0);
        let (first, second) = (labels.place((100.0, 50.0), "8").unwrap(), labels.place((100.0, 50.0), "16").unwrap());
        assert_eq!((first.2, second.2), (Anchor::Start, Anchor::End));
    }

    #[test]
    fn at_an_edge_the_word_stands_inside_and_a_full_place_has_none() {
        let mut labels = labels();
        assert_eq!(labels.place((198.0, 50.0), "1,024").unwrap().2, Anchor::End);
        let placed = (0..20).filter(|_| labels.place((100.0, 50.0), "1,024").is_some()).count();
        assert!(placed < 20);
    }

    #[test]
    fn a_mark_covers_no_point_and_no_line() {
        let mut labels = labels();
        labels.keep_clear(100.0, 50.0, 5.0);
        labels.keep_clear_of_line(&[(100.0, 50.0), (100.0, 10.0)]);
        let (x, y) = labels.place_mark((100.0, 50.0), 7.0);
        assert!((x - 100.0).abs() >= 9.0 || y >= 62.0, "{x} {y}");
    }

    #[test]
    fn a_word_takes_the_first_free_place_and_never_none() {
        let mut labels = labels();
        labels.keep_clear(20.0, 50.0, 8.0);
        let places = [(10.0, 50.0, Anchor::Start), (190.0, 50.0, Anchor::End)];
        assert_eq!(labels.place_at(&places, "limit"), Some(places[1]));
        assert_eq!(labels.place_at(&places, "limit"), Some(places[0]));
    }
}
