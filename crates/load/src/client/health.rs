//! How well the client itself did while it measured.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::clock;
use super::scheduling::{Precedence, waited_for_core};
use dyno_measure::records::Records;
use dyno_measure::report::ClientHealth;

#[derive(Debug, Clone, Copy)]
struct HealthPhase {
    at: i64,
    computed: i64,
    waited: Option<i64>,
}

impl HealthPhase {
    fn begin() -> Self {
        Self { at: clock::now(), computed: thread_cpu(), waited: waited_for_core() }
    }
}

/// Gathers what the event loop tells about itself.
#[derive(Debug)]
pub struct Health {
    /// When the phase at work began, and what this thread had computed and waited by then, ns.
    phase: HealthPhase,
    /// Largest share of a core in a phase of at least a second.
    busiest: Option<f64>,
    /// Largest share of the time that this thread waited for a core, of the same phases.
    waited: Option<f64>,
    /// Longest time between two waits of the event loop, ns.
    longest_turn: i64,
    /// Turns by the power of two of their microseconds.
    turns: [u64; 32],
    /// Requests tried once more because a kept connection had been closed.
    pub reconnects: u64,
}

impl Health {
    pub fn start() -> Self {
        Self { phase: HealthPhase::begin(), busiest: None, waited: None, longest_turn: 0, turns: [0; 32], reconnects: 0 }
    }

    /// A phase begins: a warm-up, or the measurement of a load point.
    pub fn begin_phase(&mut self) {
        self.phase = HealthPhase::begin();
    }

    /// The phase has ended. A quiet load point must not hide that the client was busy in another.
    pub fn end_phase(&mut self) {
        let now = HealthPhase::begin();
        let elapsed = now.at - self.phase.at;
        // the system counts in ticks: over less than a second the share means nothing
        if elapsed >= 1_000_000_000 {
            let share = |time: i64| (time as f64 / elapsed as f64).clamp(0.0, 1.0);
            let most = |known: Option<f64>, share: f64| Some(known.map_or(share, |known| known.max(share)));
            self.busiest = most(self.busiest, share(now.computed - self.phase.computed));
            if let Some((now, then)) = now.waited.zip(self.phase.waited) {
                self.waited = most(self.waited, share(now - then));
            }
        }
    }

    /// One turn of the event loop has taken so long, ns.
    pub fn turn(&mut self, took: i64) {
        self.longest_turn = self.longest_turn.max(took);
        let micros = (took / 1000).max(0) as u64;
        self.turns[(64 - micros.leading_zeros()).min(31) as usize] += 1;
    }

    pub fn figures(&self, records: &Records, reads: (u64, u64), largest_jump: i64) -> ClientHealth {
        let rss_kib = getrusage(UsageWho::RUSAGE_SELF).map(|usage| usage.max_rss()).ok();
        ClientHealth {
            cpu_share: self.busiest,
            cpu_wait_share: self.waited,
            timestamps: if reads.1 * 100 <= reads.0 { "kernel" } else { "user" }.to_owned(),
            clock_jump_ms: Some(largest_jump as f64 / 1e6),
            coalesced_events: Some(records.rows.iter().map(|row| u64::from(row.coalesced)).sum()),
            content_events: Some(records.rows.iter().filter(|row| row.streamed).map(|row| u64::from(row.events)).sum()),
            littles_law_ratio: None,
            max_rss_bytes: rss_kib.and_then(|kib| u64::try_from(kib).ok()).map(|kib| kib * 1024),
            reconnects: Some(self.reconnects),
            loop_p99_ms: self.turn_p99_ms(),
            loop_max_ms: Some(self.longest_turn as f64 / 1e6),
        }
    }

    /// The upper edge of the bin that holds the 99th percentile.
    fn turn_p99_ms(&self) -> Option<f64> {
        let all: u64 = self.turns.iter().sum();
        let mut seen = 0;
        for (power, count) in self.turns.iter().enumerate() {
            seen += count;
            if all > 0 && seen * 100 >= all * 99 {
                return Some(2_f64.powi(i32::try_from(power).unwrap_or(31)) / 1000.0);
            }
        }
        None
    }
}

/// What this thread has computed so far, ns.
fn thread_cpu() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD)
        .map_or(0, |usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
        * 1000
}

/// What is said where the client had to wait for its core: that alone makes no figure wrong, but explains late ones.
pub fn busy_machine(health: &ClientHealth, precedence: Precedence) -> Option<String> {
    let share = health.cpu_wait_share.filter(|share| *share > 0.01)?;
    let advice = match precedence {
        Precedence::Denied => " The system did not let it come first: CAP_SYS_NICE would permit that.",
        Precedence::RealTime | Precedence::Nice => "",
    };
    Some(format!(
        "The client waited for a core {:.1} % of the time: others kept this machine busy, and what was sent or read meanwhile was late.{advice}",
        share * 100.0
    ))
}

/// Why the client makes the figures untrustworthy.
pub fn invalid_reasons(health: &ClientHealth) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(share) = health.cpu_share.filter(|share| *share > 0.9) {
        reasons.push(format!("The client was the bottleneck: its core was {:.0} % busy, over 90 %.", share * 100.0));
    }
    if let Some(jump) = health.clock_jump_ms.filter(|jump| *jump > 1.0) {
        reasons.push(format!("The wall clock jumped by {jump:.1} ms against the monotonic clock, over 1 ms."));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_said_and_makes_nothing_invalid() {
        let health = |share| ClientHealth { cpu_wait_share: share, ..ClientHealth::default() };
        let words = busy_machine(&health(Some(0.123)), Precedence::RealTime).unwrap();
        assert!(words.starts_with("The client waited for a core 12.3 % of the time") && words.ends_with("was late."), "{words}");
        let denied = busy_machine(&health(Some(0.123)), Precedence::Denied).unwrap();
        assert!(denied.ends_with("CAP_SYS_NICE would permit that."), "{denied}");
        assert_eq!(invalid_reasons(&health(Some(0.9))), Vec::<String>::new());
        assert_eq!(
            [None, Some(0.0), Some(0.01)].map(|share| busy_machine(&health(share), Precedence::Denied)),
            [None, None, None]
        );
    }
}
