//! Words beside points, so that none covers a mark, another word or the plot's edge.

use super::drawing::{Anchor, Plot, Size, WIDE, word_width};

/// A rectangle: left, top, right, bottom.
type Area = (f64, f64, f64, f64);

/// What is taken of a plot already.
pub struct Labels {
    size: Size,
    within: Area,
    taken: Vec<Area>,
}

impl Labels {
    /// An empty plot.
    pub fn on(size: Size, plot: &Plot) -> Self {
        Self { size, within: (plot.left(), plot.top() - 6.0, plot.right() + 6.0, plot.bottom()), taken: Vec::new() }
    }

    /// Keeps words away from a mark of a half width.
    pub fn keep_clear(&mut self, x: f64, y: f64, r: f64) {
        self.taken.push((x - r, y - r, x + r, y + r));
    }

    /// Where a word stands beside a point: its place and where it hangs; nothing where all places are taken.
    pub fn place(&mut self, (x, y): (f64, f64), word: &str) -> Option<(f64, f64, Anchor)> {
        let width = word_width(self.size, word);
        let height = if self.size.name == WIDE.name { 15.0 } else { 12.0 };
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
        let area = |(x, y, anchor): (f64, f64, Anchor)| {
            let left = match anchor {
                Anchor::Start => x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            (left, y - height + 3.0, left + width, y + 3.0)
        };
        let found = places.into_iter().find(|place| self.is_free(area(*place)))?;
        self.taken.push(area(found));
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
    use super::super::scale::{Kind, Scale};
    use super::*;

    fn labels() -> Labels {
        let scale = |range| Scale { kind: Kind::Linear, domain: (0.0, 1.0), range };
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
}
