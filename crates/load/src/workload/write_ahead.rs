//! Prompts that are written before their time: at the lengths of real traces writing one takes longer than sending it, and
//! a burst of arrivals would wait for it.
//!
//! A thread of its own writes them in the order in which they are sent, no more at once than [`MOST_BYTES`]. Whoever sends
//! takes what is there and never waits: what is not there yet is written then and there, to the same bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::prompt_id::PromptId;
use crate::client::scheduling::stand_behind;

/// Bytes of prompts that wait to be sent; one prompt more may come on top.
pub const MOST_BYTES: usize = 32 << 20;
/// Prompts that wait to be sent.
const MOST_PROMPTS: usize = 16_384;
/// How far behind the latest one a prompt may be that is still kept for whoever sends it late.
const KEPT_BEHIND: usize = 256;
/// How long a phase waits for the first prompts.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Prompts of one phase, written ahead. Dropped, the thread ends.
#[derive(Debug)]
pub struct WriteAhead {
    shared: Arc<SharedQueue>,
    warmup: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct SharedQueue {
    state: Mutex<QueueState>,
    /// There is room, or the end has come.
    room: Condvar,
    /// As much is written as may be.
    full: Condvar,
}

#[derive(Debug)]
struct QueueState {
    /// Prompts from number `first` on; taken ones are empty.
    written: VecDeque<Option<Vec<u8>>>,
    first: u64,
    bytes: usize,
    /// The number after the last one of the phase.
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
            // the sender has overtaken the writer, which goes on behind it
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
    /// Begins to write the prompts of a phase: `count` of them from `first` on, or without end.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        first: PromptId,
        count: Option<u32>,
        write: impl Fn(PromptId, &mut Vec<u8>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let state = QueueState {
            written: VecDeque::new(),
            first: first.number,
            bytes: 0,
            end: count.map_or(u64::MAX, |count| first.number + u64::from(count)),
            waits: false,
            over: false,
        };
        let shared = Arc::new(SharedQueue { state: Mutex::new(state), room: Condvar::new(), full: Condvar::new() });
        let (warmup, its) = (first.warmup, shared.clone());
        let thread = std::thread::Builder::new().name("prompts".to_owned()).spawn(move || {
            stand_behind();
            its.fill(|number, out| write(PromptId { warmup, number }, out));
        })?;
        Ok(Self { shared, warmup, thread: Some(thread) })
    }

    /// Waits a moment until as much is written as may be.
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

    /// The prompt, where it has been written.
    pub fn take(&self, prompt: PromptId) -> Option<Vec<u8>> {
        if prompt.warmup != self.warmup {
            return None;
        }
        // the writer holds this for a moment only; if it is held off its core just then, nobody waits for it
        let mut state = self.shared.state.try_lock().ok()?;
        let taken = state.take(prompt.number);
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
            // one that panicked has written less, which is made up for
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
            // unless the sender has meanwhile overtaken
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

    fn id(number: u64) -> PromptId {
        PromptId { warmup: false, number }
    }

    fn of_size(bytes: usize) -> impl Fn(PromptId, &mut Vec<u8>) + Send + 'static {
        move |prompt, out| {
            out.extend_from_slice(&prompt.number.to_le_bytes());
            out.resize(bytes, 0);
        }
    }

    /// Waits until the writer rests: no more may be written, or there is nothing more to write. It stands behind everything
    /// else on the machine, so this takes as long as it takes.
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
        let ahead = WriteAhead::start(id(10), Some(6), of_size(20)).unwrap();
        ahead.wait_for_first();
        settled(&ahead);
        for number in [11, 10, 15, 12] {
            assert_eq!(ahead.take(id(number)).unwrap()[..8], number.to_le_bytes());
        }
        assert_eq!(ahead.take(id(10)), None, "sent again, it is written again");
        assert_eq!(ahead.take(PromptId { warmup: true, number: 13 }), None);
        assert!(ahead.take(id(13)).is_some() && ahead.take(id(14)).is_some());
        assert_eq!(ahead.take(id(16)), None, "there are no more");
    }

    #[test]
    fn memory_is_bounded_and_filled_again() {
        const SIZE: usize = 1 << 20;
        let ahead = WriteAhead::start(id(0), None, of_size(SIZE)).unwrap();
        let (mut taken, mut most) = (0, 0);
        for number in 0..200 {
            if number % 10 == 0 {
                settled(&ahead);
            }
            most = most.max(ahead.bytes());
            taken += u32::from(ahead.take(id(number)).is_some());
        }
        // what is missing was asked for while the writer had the lock
        assert!(taken > 150, "{taken}");
        assert!((MOST_BYTES..MOST_BYTES + SIZE).contains(&most), "{most}");
    }

    #[test]
    fn prompts_that_nobody_takes_do_not_stop_the_others() {
        const SIZE: usize = 1 << 20;
        let ahead = WriteAhead::start(id(0), None, of_size(SIZE)).unwrap();
        settled(&ahead);
        let waiting = ahead.shared.lock().written.len() as u64;
        // as many as there are were dropped
        assert_eq!(ahead.take(id(waiting + 5)), None);
        settled(&ahead);
        assert!(ahead.take(id(waiting + 6)).is_some());

        let small = WriteAhead::start(id(0), None, of_size(8)).unwrap();
        settled(&small);
        assert!(small.take(id(5_000)).is_some());
        assert_eq!(small.take(id(0)), None, "too far behind");
        assert!(small.take(id(4_999)).is_some(), "late by one");
    }
}
