//! The progress of a run's load in a sentence, shown on its page and announced to screen readers in the same words.

use dyno_measure::events::Progress;
use dyno_measure::live_figures::Upcoming;
use dyno_measure::report::Phase;
use dyno_measure::run::RunStatus;
use dyno_measure::words::{count, grouped};

/// Least time between two announcements of progress, ms.
const QUIET_MS: u64 = 30_000;
/// An announcement is removed after this time, ms, since it is no longer true for whoever finds it later.
const STALE_MS: u64 = 10_000;

/// `640 of 1,280 requests, 2 minutes left`; without the time left when the run is ending or over.
pub fn sentence(progress: &Progress, status: RunStatus) -> String {
    if progress.phase == Some(Phase::Warmup) {
        return "Warming up: these requests are not measured.".to_owned();
    }
    let ended = progress.ended();
    let is_last = progress.load_point + 1 >= progress.load_points;
    let is_over = progress.total.is_some_and(|total| ended >= total) && is_last;
    let goes_on = matches!(status, RunStatus::Queued | RunStatus::Running);
    // the time left covers all load points, not only this one
    let of_all = if progress.load_points > 1 { " in all" } else { "" };
    let left = progress.eta_ms.filter(|_| goes_on && !is_over);
    let left = left.map(|ms| format!(", {}{of_all}", remaining(ms))).unwrap_or_default();
    match progress.total {
        Some(total) => format!("{} of {}{left}", grouped(ended), count(total, "request")),
        None => format!("{}{left}", count(ended, "request")),
    }
}

/// What load a run that is over has put on: `518 requests at 8 load points`, and where it ended if that was before its end.
pub fn ended_sentence(progress: &Progress, is_search: bool) -> String {
    let (ended, begun) = (progress.ended(), u64::from(progress.load_point) + 1);
    // between two load points the one that has just ended is still the snapshot's own
    let is_finished = progress.finished.len() as u64 >= begun;
    let is_short = !is_finished && progress.total.is_none_or(|total| ended < total);
    if progress.load_points <= 1 {
        return match progress.total.filter(|_| is_short) {
            Some(total) => format!("{} of {}", grouped(ended), count(total, "request")),
            None => count(ended, "request"),
        };
    }
    // how many loads a search takes is known at its end alone
    let planned = u64::from(progress.load_points);
    let points = if is_search || begun >= planned {
        count(begun, "load point")
    } else {
        format!("{} of {}", grouped(begun), count(planned, "load point"))
    };
    // snapshots of earlier versions don't have the load points before
    if (progress.finished.len() as u64) + 1 < begun {
        return points;
    }
    let before: u64 = progress.finished.iter().map(|finished| finished.requests).sum();
    let all = count(before + if is_finished { 0 } else { ended }, "request");
    let load = progress.load.map(|load| format!(", {},", load.words())).unwrap_or_default();
    let short = progress
        .total
        .filter(|_| is_short)
        .map(|total| format!("; the last{load} had {} of its {}", grouped(ended), grouped(total)));
    format!("{all} at {points}{}", short.unwrap_or_default())
}

/// `Load point 3 of 5: 8 in flight`; `None` with a single load.
pub fn load_point(progress: &Progress) -> Option<String> {
    if progress.load_points <= 1 {
        return None;
    }
    let most = if matches!(progress.next, Some(Upcoming::Depends { .. })) { "at most " } else { "" };
    let load = progress.load.map(|load| format!(": {}", load.words())).unwrap_or_default();
    Some(format!("Load point {} of {most}{}{load}", progress.load_point + 1, progress.load_points))
}

/// A remaining time in words.
fn remaining(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match seconds {
        0..=4 => "a few seconds left".to_owned(),
        5..=89 => format!("{} seconds left", seconds.div_ceil(5) * 5),
        90..=5399 => format!("{} minutes left", (seconds + 30) / 60),
        _ => format!("{} h {} min left", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Decides when progress is announced: at each load point and each quarter of it, with pauses between.
#[derive(Debug, Default)]
pub struct Announcer {
    /// Time of the last announcement.
    said_at_ms: Option<u64>,
    /// Load point and quarter of the last announcement.
    said: (u32, u8),
    /// Whether the last announcement is still in place.
    stands: bool,
}

impl Announcer {
    /// Notes that something other than progress is announced.
    pub fn said(&mut self, now_ms: u64) {
        self.said_at_ms = Some(now_ms);
        self.stands = true;
    }

    /// The announcement now: the sentence, an empty text to remove the last one, or `None` for no change.
    pub fn progress(&mut self, progress: &Progress, status: RunStatus, now_ms: u64) -> Option<String> {
        let since = self.said_at_ms.map(|at| now_ms.saturating_sub(at));
        let quarter = progress.share().map_or(0, |share| (share * 4.0) as u8);
        let place = (progress.load_point, quarter);
        let is_news = place != self.said && (quarter > 0 || progress.load_point != self.said.0);
        let is_measured = progress.phase != Some(Phase::Warmup);
        if is_news && is_measured && since.is_none_or(|since| since >= QUIET_MS) {
            self.said = place;
            self.said(now_ms);
            let shown = sentence(progress, status);
            return Some(match load_point(progress) {
                Some(point) => format!("{point}. {shown}"),
                None => shown,
            });
        }
        if self.stands && since.is_some_and(|since| since >= STALE_MS) {
            self.stands = false;
            return Some(String::new());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::live_figures::FinishedLoadPoint;
    use dyno_measure::load::OfferedLoad;

    fn at(completed: u64) -> Progress {
        Progress { completed, total: Some(100), load_points: 1, ..Progress::default() }
    }

    #[test]
    fn progress_reads_as_a_sentence() {
        let running = |progress: Progress| sentence(&progress, RunStatus::Running);
        let known = Progress { completed: 600, failed: 40, total: Some(1280), eta_ms: Some(120_000), ..Progress::default() };
        assert_eq!(running(known.clone()), "640 of 1,280 requests, 2 minutes left");
        assert_eq!(running(Progress { completed: 1, ..Progress::default() }), "1 request");
        assert_eq!(running(Progress { total: Some(1), ..Progress::default() }), "0 of 1 request");
        let warm = Progress { phase: Some(Phase::Warmup), in_flight: 16, ..Progress::default() };
        assert_eq!(running(warm), "Warming up: these requests are not measured.");
        let sweep = Progress { load_points: 3, load_point: 1, completed: 1280, failed: 0, ..known };
        assert_eq!(running(sweep), "1,280 of 1,280 requests, 2 minutes left in all", "others follow");
    }

    #[test]
    fn an_ended_run_has_no_time_left() {
        let progress = Progress { completed: 40, total: Some(5_000), eta_ms: Some(1_620_000), ..Progress::default() };
        assert_eq!(sentence(&progress, RunStatus::Running), "40 of 5,000 requests, 27 minutes left");
        for status in [RunStatus::Cancelling, RunStatus::Cancelled, RunStatus::Partial, RunStatus::Failed] {
            assert_eq!(sentence(&progress, status), "40 of 5,000 requests");
        }
    }

    #[test]
    fn a_run_that_is_over_says_what_load_it_has_put_on_and_where_it_ended() {
        let one = |completed, total| ended_sentence(&Progress { total, load_points: 1, ..at(completed) }, false);
        assert_eq!(one(100, Some(100)), "100 requests");
        assert_eq!(one(40, Some(5_000)), "40 of 5,000 requests");
        assert_eq!(one(40, None), "40 requests");
        let finished = |requests| FinishedLoadPoint { requests, ..FinishedLoadPoint::default() };
        let load = Some(OfferedLoad::Concurrency { concurrency: 8 });
        let mut sweep = Progress { load_point: 2, load_points: 5, load, ..at(40) };
        assert_eq!(ended_sentence(&sweep, false), "3 of 5 load points", "a snapshot of an earlier version");
        sweep.finished = vec![finished(100), finished(34)];
        assert_eq!(ended_sentence(&sweep, false), "174 requests at 3 of 5 load points; the last, 8 in flight, had 40 of its 100");
        sweep.finished.push(finished(100));
        assert_eq!(ended_sentence(&sweep, false), "234 requests at 3 of 5 load points");
        assert_eq!(ended_sentence(&sweep, true), "234 requests at 3 load points");
    }

    #[test]
    fn a_load_point_is_named_by_its_load() {
        let load = Some(OfferedLoad::Concurrency { concurrency: 8 });
        let sweep = Progress { load_points: 5, load_point: 2, load, ..Progress::default() };
        assert_eq!(load_point(&sweep).as_deref(), Some("Load point 3 of 5: 8 in flight"));
        let next = Some(Upcoming::Depends { if_met: None, if_not: None });
        assert_eq!(load_point(&Progress { next, ..sweep }).as_deref(), Some("Load point 3 of at most 5: 8 in flight"));
        assert_eq!(load_point(&Progress { load_points: 1, ..Progress::default() }), None);
    }

    #[test]
    fn times_left_are_rough() {
        let words = [1_000, 61_000, 120_000, 8_000_000].map(remaining);
        assert_eq!(words, ["a few seconds left", "65 seconds left", "2 minutes left", "2 h 13 min left"]);
    }

    #[test]
    fn announcements_equal_the_shown_sentence_and_expire() {
        let mut announcer = Announcer::default();
        announcer.said(0);
        let mut heard = |completed, now_ms| announcer.progress(&at(completed), RunStatus::Running, now_ms);
        assert_eq!(heard(26, 5_000), None, "a stage was read out just now");
        assert_eq!(heard(60, 12_000).as_deref(), Some(""), "and is taken away");
        assert_eq!(heard(88, 31_000).as_deref(), Some("88 of 100 requests"), "not the quarter that was passed before");
        assert_eq!(heard(89, 32_000), None);
        assert_eq!(heard(92, 41_500).as_deref(), Some(""), "88 would be wrong by now");
        assert_eq!(heard(93, 90_000), None, "no quarter more");
    }

    #[test]
    fn a_new_load_point_is_read_out() {
        let mut announcer = Announcer::default();
        let point = |load_point, completed| {
            let load = Some(OfferedLoad::Concurrency { concurrency: 4 });
            Progress { load_point, load_points: 3, load, ..at(completed) }
        };
        let mut heard = |load_point, completed, now_ms| {
            announcer.progress(&point(load_point, completed), RunStatus::Running, now_ms).filter(|text| !text.is_empty())
        };
        assert_eq!(heard(0, 50, 0).as_deref(), Some("Load point 1 of 3: 4 in flight. 50 of 100 requests"));
        assert_eq!(heard(1, 0, 20_000), None);
        assert_eq!(heard(1, 3, 30_000).as_deref(), Some("Load point 2 of 3: 4 in flight. 3 of 100 requests"));
        assert_eq!(heard(1, 20, 99_000), None);
    }
}
