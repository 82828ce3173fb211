//! What a load says while it goes on: to a spool, or to people on a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

use crate::execute::LoadOutcome;
use crate::spool::Spool;
use crate::table::table;
use crate::tell::Tell;
use dyno_measure::events::{LoadEventKind, LogLevel, Progress};
use dyno_measure::report::Phase;

/// Tells the spool, else people on standard error.
pub fn teller(spool: Option<Rc<Spool>>) -> Tell {
    let terminal = io::stderr().is_terminal();
    Rc::new(move |kind| match &spool {
        // a full disk must not end a measurement
        Some(spool) => {
            let _ = spool.write(kind);
        }
        None => say(&kind, terminal),
    })
}

/// Progress for people, on standard error.
fn say(kind: &LoadEventKind, terminal: bool) {
    let mut out = io::stderr();
    let _ = match kind {
        LoadEventKind::Log { level, line } => {
            let mark = if *level == LogLevel::Info { "" } else { "warning: " };
            writeln!(out, "{mark}{line}")
        }
        LoadEventKind::Prepared { tokenizer, notes, .. } => {
            let notes = notes.iter().fold(String::new(), |text, note| text + "\n" + note);
            writeln!(out, "Prompts are made; lengths by {tokenizer}.{notes}")
        }
        LoadEventKind::Progress(progress) if terminal => {
            write!(out, "\r\x1b[2K{}", progress_line(progress)).and_then(|()| out.flush())
        }
        LoadEventKind::End { .. } if terminal => writeln!(out),
        _ => Ok(()),
    };
}

fn progress_line(progress: &Progress) -> String {
    let mut line = String::new();
    if progress.load_points > 1 {
        let _ = write!(line, "load point {}/{} · ", progress.load_point + 1, progress.load_points);
    }
    if progress.phase == Some(Phase::Warmup) {
        line.push_str("warm-up · ");
    } else {
        let _ = write!(line, "{}", progress.completed + progress.failed);
        if let Some(total) = progress.total {
            let _ = write!(line, "/{total}");
        }
        line.push_str(" done · ");
    }
    let _ = write!(line, "{} in flight", progress.in_flight);
    if progress.failed > 0 {
        let _ = write!(line, " · {} failed", progress.failed);
    }
    if let Some(rate) = progress.output_tokens_per_s {
        let _ = write!(line, " · {rate:.0} tok/s");
    }
    if let Some(ttft) = progress.ttft_ms {
        let _ = write!(line, " · TTFT {ttft:.1} ms");
    }
    if let Some(tpot) = progress.tpot_ms {
        let _ = write!(line, " · TPOT {tpot:.2} ms");
    }
    if let Some(eta) = progress.eta_ms {
        let _ = write!(line, " · {} s left", eta.div_ceil(1000));
    }
    line
}

pub fn show(outcome: &LoadOutcome) {
    let mut text = table(&outcome.report);
    if let Some(reason) = &outcome.reason {
        let _ = writeln!(text, "{reason}");
    }
    let _ = io::stdout().write_all(text.as_bytes());
}
