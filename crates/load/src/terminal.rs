//! The event sink of `dyno load`: a spool file, or people on a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

use crate::event_sink::EventSink;
use crate::execute::LoadOutcome;
use crate::printable::{printable, printable_line};
use crate::spool::Spool;
use crate::table::table;
use dyno_measure::events::{LoadEventKind, LogLevel, Progress};
use dyno_measure::report::Phase;

/// Writes events to the spool, or without one to standard error.
pub fn event_sink(spool: Option<Rc<Spool>>) -> EventSink {
    let terminal = io::stderr().is_terminal();
    Rc::new(move |kind| match &spool {
        // a spool that can't be written (a full disk) must not end the measurement
        Some(spool) => {
            let _ = spool.write(kind);
        }
        None => print_event(&kind, terminal),
    })
}

/// Says something on standard error.
pub fn say(words: &str) {
    // a terminal that is gone changes nothing
    let _ = writeln!(io::stderr(), "{}", printable(words));
}

/// Prints an event to standard error.
fn print_event(kind: &LoadEventKind, terminal: bool) {
    let mut out = io::stderr();
    let _ = match kind {
        LoadEventKind::Log { level, line } => {
            let mark = if *level == LogLevel::Info { "" } else { "warning: " };
            writeln!(out, "{mark}{}", printable_line(line))
        }
        LoadEventKind::Prepared { tokenizer, notes, .. } => {
            let notes = notes.iter().fold(String::new(), |text, note| text + "\n" + &printable_line(note));
            writeln!(out, "Prompts are made; lengths by {}.{notes}", printable_line(tokenizer))
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
    let _ = io::stdout().write_all(printable(&text).as_bytes());
}
