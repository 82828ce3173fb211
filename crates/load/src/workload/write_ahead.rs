//! Writes prompts before they are needed: at the lengths of real traces, writing one takes longer than sending it, and a burst
//! of arrivals would be sent late.
//!
//! A thread writes them in sending order, up to [`MOST_BYTES`]. The sender takes a prompt that is there and never waits: a
//! missing one is written by the sender itself, to the same bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::prompt_id::PromptId;
use crate::client::scheduling::lower_priority;
use dyno_measure::plan::Shard;

/// Most bytes of waiting prompts; one prompt may exceed it.
pub const MOST_BYTES: usize = 32 << 20;
const MOST_PROMPTS: usize = 16_384;
/// How many numbers behind the latest taken prompt an earlier one is still kept.
const KEPT_BEHIND: usize = 256;
/// Longest wait of a phase for its first prompts.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The prompts of one phase, and their thread, which ends when this is dropped.
#[derive(Debug)]
pub struct WriteAhead {
    shared: Arc<SharedQueue>,
    warmup: bool,
    /// Number of the phase's first prompt, and which of the others are written.
    numbers: (u64, Shard),
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct SharedQueue {
    state: Mutex<QueueState>,
    /// Signals the writer: there is room, or the end has come.
    room: Condvar,
    /// Signals the waiting phase: the queue is full or complete.
    full: Condvar,
}

#[derive(Debug)]
struct QueueState {
    /// Prompts from the one at place `first` on; `None` for those taken. Places are counted from 0, in sending order.
    written: VecDeque<Option<Vec<u8>>>,
    first: u64,
    bytes: usize,
    /// One past the phase's last place.
    end: u64,
    waits: bool,
    over: bool,
}

impl QueueState {
    fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES || self.written.len() >= MOST_PROMPTS
    }

    fn next(&self) -> u64 {
        self.first + self.written.len() as u64
    }

    fn take(&mut self, number: u64) -> Option<Vec<u8>> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        if place >= self.written.len() {
            // the sender is ahead of the writer, which continues after the sender's number
            self.written.clear();
            (self.bytes, self.first) = (0, number + 1);
            return None;
        }
        let taken = self.written[place].take();
        self.bytes -= taken.as_ref().map_or(0, Vec::len);
        let behind = place.saturating_sub(KEPT_BEHIND);
        let mut gone = 0;
        while gone < behind || self.written.front().is_some_and(Option::is_none) {
            let Some(front) = self.written.pop_front() else { break };
            self.bytes -= front.map_or(0, |prompt| prompt.len());
            self.first += 1;
            gone += 1;
        }
        taken
    }
}

impl WriteAhead {
    /// Starts writing the prompts of a phase: `count` of those that are dealt to a part from `first` on, or without
    /// end.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        first: PromptId,
        count: Option<u32>,
        shard: Shard,
        write: impl Fn(PromptId, &mut Vec<u8>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let state = QueueState {
            written: VecDeque::new(),
            first: 0,
            bytes: 0,
            end: count.map_or(u64::MAX, u64::from),
            waits: false,
            over: false,
        };
        let shared = Arc::new(SharedQueue { state: Mutex::new(state), room: Condvar::new(), full: Condvar::new() });
        let (PromptId { warmup, number: first }, queue) = (first, shared.clone());
        let thread = std::thread::Builder::new().name("prompts".to_owned()).spawn(move || {
            lower_priority();
            queue.fill(|place, out| {
                write(
                    PromptId { warmup, number: first + u64::from(shard.number(u32::try_from(place).unwrap_or(u32::MAX))) },
                    out,
                );
            });
        })?;
        Ok(Self { shared, warmup, numbers: (first, shard), thread: Some(thread) })
    }

    /// Waits until the queue is full, but no longer than [`FIRST_WAIT`].
    pub fn wait_for_first(&self) {
        let until = Instant::now() + FIRST_WAIT;
        let mut state = self.shared.lock();
        while !state.is_full() && state.next() < state.end && !state.over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.shared.full.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a prompt if it has been written.
    pub fn take(&self, prompt: PromptId) -> Option<Vec<u8>> {
        let (first, shard) = self.numbers;
        let after = prompt.number.checked_sub(first).filter(|_| prompt.warmup == self.warmup)?;
        let place = shard.own(after)?;
        // the writer holds the lock briefly; should it be descheduled just then, the sender does not wait
        let mut state = self.shared.state.try_lock().ok()?;
        let taken = state.take(place);
        if state.waits && state.bytes <= MOST_BYTES / 2 && state.written.len() <= MOST_PROMPTS / 2 {
            self.shared.room.notify_one();
        }
        taken
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.shared.lock().bytes
    }
}

impl Drop for WriteAhead {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.room.notify_one();
        if let Some(thread) = self.thread.take() {
            // after a panic, missing prompts are written by the sender
            let _ = thread.join();
        }
    }
}

impl SharedQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, write: impl Fn(u64, &mut Vec<u8>)) {
        let mut length = 0;
        let mut state = self.lock();
        loop {
            let number = state.next();
            if state.over || number >= state.end {
                self.full.notify_one();
                return;
            }
            if state.is_full() {
                self.full.notify_one();
                state.waits = true;
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waits = false;
                continue;
            }
            drop(state);
            let mut prompt = Vec::with_capacity(length);
            write(number, &mut prompt);
            length = prompt.len();
            state = self.lock();
            // dropped if the sender has overtaken the writer meanwhile
            if state.next() == number {
                state.bytes += prompt.len();
                state.written.push_back(Some(prompt));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::plan::Part;

    fn whole() -> Shard {
        Shard::open(Part::WHOLE)
    }

    fn id(number: u64) -> PromptId {
        PromptId { warmup: false, number }
    }

    fn of_size(bytes: usize) -> impl Fn(PromptId, &mut Vec<u8>) + Send + 'static {
        move |prompt, out| {
            out.extend_from_slice(&prompt.number.to_le_bytes());
            out.resize(bytes, 0);
        }
    }

    /// Waits until the queue is full or complete. The writer has the lowest priority, so this may take long.
    fn settled(ahead: &WriteAhead) {
        let begun = Instant::now();
        loop {
            let state = ahead.shared.lock();
            let has_no_room = state.bytes > MOST_BYTES / 2 || state.written.len() > MOST_PROMPTS / 2;
            if state.waits && has_no_room || state.next() >= state.end {
                return;
            }
            drop(state);
            assert!(begun.elapsed() < Duration::from_secs(60), "the writer does not come to rest");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn prompts_come_in_any_order_once() {
        let ahead = WriteAhead::start(id(10), Some(6), whole(), of_size(20)).unwrap();
        ahead.wait_for_first();
        settled(&ahead);
        for number in [11, 10, 15, 12] {
            assert_eq!(ahead.take(id(number)).unwrap()[..8], number.to_le_bytes());
        }
        assert_eq!(ahead.take(id(10)), None, "sent again, it is written again");
        assert_eq!(ahead.take(PromptId { warmup: true, number: 13 }), None);
        assert!(ahead.take(id(13)).is_some() && ahead.take(id(14)).is_some());
        assert_eq!(ahead.take(id(16)), None, "there are no more");
        let third = WriteAhead::start(id(10), Some(2), Shard::open(Part::new(1, 3).unwrap()), of_size(20)).unwrap();
        settled(&third);
        assert_eq!(third.take(id(12)), None, "another worker's");
        for number in [11, 14] {
            assert_eq!(third.take(id(number)).unwrap()[..8], u64::to_le_bytes(number));
        }
        assert_eq!(third.take(id(17)), None, "past the end");
    }

    #[test]
    fn memory_is_bounded_and_filled_again() {
        const SIZE: usize = 1 << 20;
        let ahead = WriteAhead::start(id(0), None, whole(), of_size(SIZE)).unwrap();
        let (mut taken, mut most) = (0, 0);
        for number in 0..200 {
            if number % 10 == 0 {
                settled(&ahead);
            }
            most = most.max(ahead.bytes());
            taken += u32::from(ahead.take(id(number)).is_some());
        }
        // misses are those taken while the writer had the lock
        assert!(taken > 150, "{taken}");
        assert!((MOST_BYTES..MOST_BYTES + SIZE).contains(&most), "{most}");
    }

    #[test]
    fn skipped_prompts_do_not_block_later_ones() {
        const SIZE: usize = 1 << 20;
        let ahead = WriteAhead::start(id(0), None, whole(), of_size(SIZE)).unwrap();
        settled(&ahead);
        let waiting = ahead.shared.lock().written.len() as u64;
        // all written prompts were dropped
        assert_eq!(ahead.take(id(waiting + 5)), None);
        settled(&ahead);
        assert!(ahead.take(id(waiting + 6)).is_some());

        let small = WriteAhead::start(id(0), None, whole(), of_size(8)).unwrap();
        settled(&small);
        assert!(small.take(id(5_000)).is_some());
        assert_eq!(small.take(id(0)), None, "too far behind");
        assert!(small.take(id(4_999)).is_some(), "late by one");
    }
}
