//! Places labels beside points, so that none covers a mark, another label or the plot's edge.

use super::drawing::{Anchor, Plot, Size, WIDE, word_width};

/// A rectangle: left, top, right, bottom.
type Area = (f64, f64, f64, f64);

struct Taken {
    area: Area,
    /// Whether a line goes through it, over which a word with its halo can still be read.
    is_line: bool,
}

/// The occupied areas of a plot.
pub struct Labels {
    size: Size,
    within: Area,
    taken: Vec<Taken>,
}

/// Where a mark that belongs to a point was placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlacedMark {
    pub at: (f64, f64),
    /// From the point to the mark, where that is too far away to be seen to belong to it.
    pub leader: Option<[(f64, f64); 2]>,
}

/// Where a mark that belongs to a point is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Near {
    /// On any side of the point that is free.
    Around,
    /// Above or below it, where there is room: of points that are told apart by where they are along the x axis.
    Column,
}

/// Distances at which a mark is looked for, beyond its own half width: pixels.
const RINGS: [f64; 9] = [8.0, 16.0, 24.0, 34.0, 44.0, 56.0, 70.0, 86.0, 104.0];
/// The directions around a point, clockwise from above, in the order of preference.
const TURNS: [f64; 16] = [0.0, 1.0, -1.0, 2.0, -2.0, 4.0, -4.0, 8.0, 6.0, -6.0, 3.0, -3.0, 7.0, -7.0, 5.0, -5.0];
/// Where a leader begins: outside of the point's own mark, in each direction.
const LEADER_FROM: f64 = 9.0;

impl Labels {
    pub fn on(size: Size, plot: &Plot) -> Self {
        Self { size, within: (plot.left(), plot.top() - 6.0, plot.right() + 6.0, plot.bottom()), taken: Vec::new() }
    }

    /// Reserves the area of a mark with half width `r`.
    pub fn keep_clear(&mut self, x: f64, y: f64, r: f64) {
        self.take((x - r, y - r, x + r, y + r));
    }

    fn take(&mut self, area: Area) {
        self.taken.push(Taken { area, is_line: false });
    }

    /// Reserves the area of a line through points.
    pub fn keep_clear_of_line(&mut self, points: &[(f64, f64)]) {
        for pair in points.windows(2) {
            let areas = along(pair[0], pair[1], 2.0);
            self.taken.extend(areas.map(|area| Taken { area, is_line: true }));
        }
    }

    /// A free position for a mark with half width `r` near a point, as near as there is one; above it if none is free.
    pub fn place_mark(&mut self, (x, y): (f64, f64), r: f64, near: Near) -> PlacedMark {
        let toward = |turn: f64, off: f64| {
            let (sin, cos) = (turn * std::f64::consts::PI / 8.0).sin_cos();
            (x + off * sin, y - off * cos)
        };
        let free = |(ring, turn): (f64, f64)| {
            let at = toward(turn, r + ring);
            let leader = (ring > RINGS[0]).then(|| [toward(turn, LEADER_FROM), toward(turn, ring)]);
            self.is_free((at.0 - r, at.1 - r, at.0 + r, at.1 + r), true).then_some(PlacedMark { at, leader })
        };
        let places = |turns: &'static [f64]| RINGS.into_iter().flat_map(|ring| turns.iter().map(move |turn| (ring, *turn)));
        let in_column = if near == Near::Column { places(&[0.0, 8.0]).find_map(free) } else { None };
        // else the first whose leader goes past the other points
        let passes = |placed: &PlacedMark| {
            placed.leader.is_none_or(|[from, to]| along(from, to, 1.0).all(|area| !self.meets(&area, false)))
        };
        let found = in_column.or_else(|| places(&TURNS).filter_map(free).find(passes)).or_else(|| places(&TURNS).find_map(free));
        let found = found.unwrap_or(PlacedMark { at: (x, y - r - RINGS[0]), leader: None });
        self.keep_clear(found.at.0, found.at.1, r);
        if let Some(leader) = found.leader {
            self.keep_clear_of_line(&leader);
        }
        found
    }

    /// The first of these positions where the text is free, else the first of all.
    pub fn place_at(&mut self, places: &[(f64, f64, Anchor)], word: &str) -> Option<(f64, f64, Anchor)> {
        let free = |place: &&(f64, f64, Anchor)| self.is_free(self.area(**place, word), true);
        let found = places.iter().find(free).or_else(|| places.first()).copied()?;
        self.take(self.area(found, word));
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

    /// A free position and alignment for a text beside a point, over a line if need be; `None` if all are occupied.
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
        let free = |off_lines: bool| places.into_iter().find(|place| self.is_free(self.area(*place, word), off_lines));
        let found = free(true).or_else(|| free(false))?;
        self.take(self.area(found, word));
        Some(found)
    }

    fn is_free(&self, area: Area, off_lines: bool) -> bool {
        let inside = area.0 >= self.within.0 && area.1 >= self.within.1 && area.2 <= self.within.2 && area.3 <= self.within.3;
        inside && !self.meets(&area, off_lines)
    }

    /// Whether an area is occupied in part; by a line only counts `with_lines`.
    fn meets(&self, area: &Area, with_lines: bool) -> bool {
        let meets = |other: &Area| area.0 < other.2 && other.0 < area.2 && area.1 < other.3 && other.1 < area.3;
        self.taken.iter().any(|taken| (with_lines || !taken.is_line) && meets(&taken.area))
    }
}

/// Squares with half width `r` along a line.
fn along((x1, y1): (f64, f64), (x2, y2): (f64, f64), r: f64) -> impl Iterator<Item = Area> {
    // at most a few hundred pixels
    let steps = ((x2 - x1).hypot(y2 - y1) / 8.0).ceil().max(1.0);
    (0..=(steps as u32)).map(move |step| {
        let share = f64::from(step) / steps;
        let (x, y) = (x1 + (x2 - x1) * share, y1 + (y2 - y1) * share);
        (x - r, y - r, x + r, y + r)
    })
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
        let PlacedMark { at: (x, y), leader } = labels.place_mark((100.0, 50.0), 7.0, Near::Around);
        assert!((x - 100.0).abs() >= 9.0 || y >= 62.0, "{x} {y}");
        assert_eq!(leader, None, "beside its point it needs none");
    }

    #[test]
    fn a_mark_in_a_crowd_stands_outside_it_with_a_line_to_its_point_past_the_others() {
        let mut labels = labels();
        let steps = [-24.0, -12.0, 0.0, 12.0, 24.0];
        let crowd = steps.into_iter().flat_map(|dx| steps.map(|dy| (100.0 + dx, 60.0 + dy)));
        let gap = [(100.0, 60.0), (112.0, 48.0), (124.0, 36.0)];
        let others: Vec<(f64, f64)> = crowd.filter(|at| !gap.contains(at)).collect();
        for (x, y) in &others {
            labels.keep_clear(*x, *y, 5.0);
        }
        labels.keep_clear(100.0, 60.0, 5.0);
        let PlacedMark { at, leader } = labels.place_mark((100.0, 60.0), 7.0, Near::Around);
        assert!(others.iter().all(|(x, y)| (at.0 - x).abs() >= 12.0 || (at.1 - y).abs() >= 12.0), "{at:?}");
        let [from, to] = leader.unwrap();
        assert!(from.0 > 100.0 && to.1 < from.1, "through the gap: {from:?} {to:?}");
        let in_column = labels.place_mark((100.0, 60.0), 7.0, Near::Column);
        assert!((in_column.at.0 - 100.0).abs() < 1e-9 && in_column.leader.is_some(), "{in_column:?}");
    }

    #[test]
    fn a_word_stands_over_a_line_rather_than_nowhere() {
        let mut labels = labels();
        for y in [30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0] {
            labels.keep_clear_of_line(&[(40.0, y), (160.0, y)]);
        }
        assert!(labels.place((100.0, 55.0), "16").is_some());
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
