//! The scheduling priority of the client's thread, and how long it had to wait for a core.

use procfs::FromRead as _;
use procfs::process::Schedstat;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority};

/// The nice value that is set where real-time scheduling is not permitted. Not the best one: the client sleeps most of the
/// time, so this is enough to be scheduled first when it wakes.
const NICE: i32 = -10;
/// The nice value of work that may wait, such as writing prompts ahead.
const NICE_BEHIND: i32 = 10;
/// A real-time thread runs as soon as it wakes. The kernel still reserves a part of each second for others, so one that never
/// sleeps does not block the machine.
const REAL_TIME: ThreadSchedulePolicy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
const NORMAL: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);

/// The priority that the system granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    RealTime,
    Nice,
    Denied,
}

/// Raises this thread's priority as far as the system permits, until dropped.
#[derive(Debug)]
pub struct Priority {
    precedence: Precedence,
    /// Its nice value before.
    before: Option<i32>,
}

impl Priority {
    pub fn raise() -> Self {
        let before = rustix::process::getpriority_process(None).ok();
        let is_normal = thread_schedule_policy().is_ok_and(|policy| policy == NORMAL);
        // needs CAP_SYS_NICE or an rtprio limit
        let precedence =
            if is_normal && set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, REAL_TIME).is_ok() {
                Precedence::RealTime
            } else if before.is_some_and(|nice| nice > NICE) && rustix::process::setpriority_process(None, NICE).is_ok() {
                Precedence::Nice
            } else {
                Precedence::Denied
            };
        Self { precedence, before }
    }

    pub fn precedence(&self) -> Precedence {
        self.precedence
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        // lowering the priority is always permitted
        if self.precedence == Precedence::RealTime {
            leave_real_time();
        }
        if let Some(before) = self.before.filter(|_| self.precedence != Precedence::Denied) {
            let _ = rustix::process::setpriority_process(None, before);
        }
    }
}

/// Returns this thread to normal scheduling. The caller sets its nice value afterwards.
fn leave_real_time() {
    // The call sets a nice value, too: the best one fails where it is not permitted, and the worst could not be taken back.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Max, NORMAL);
}

/// Lowers this thread's priority for good, also where it inherited a raised one.
pub fn lower_priority() {
    if thread_schedule_policy().is_ok_and(|policy| policy == REAL_TIME) {
        leave_real_time();
    }
    // if that fails, the thread keeps its priority
    let _ = rustix::process::setpriority_process(None, NICE_BEHIND);
}

/// How long this thread has been ready to run without a core to run on, ns; nothing where the system does not count it.
pub fn waited_for_core() -> Option<i64> {
    // read directly, since the library knows threads by their number only, with more calls
    let counted = Schedstat::from_file("/proc/thread-self/schedstat").ok()?;
    counted.run_delay.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_a_core_grows_only() {
        let first = waited_for_core().unwrap();
        std::thread::yield_now();
        assert!((0..=waited_for_core().unwrap()).contains(&first));
    }

    #[test]
    fn a_priority_is_given_back_and_not_handed_on() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = (nice(), thread_schedule_policy().unwrap());
        let raised = Priority::raise();
        let expected = match raised.precedence() {
            Precedence::RealTime => (before.0, REAL_TIME),
            Precedence::Nice => (NICE, before.1),
            Precedence::Denied => before,
        };
        assert_eq!((nice(), thread_schedule_policy().unwrap()), expected);
        let begun = std::thread::spawn(move || {
            lower_priority();
            (nice(), thread_schedule_policy().unwrap())
        });
        assert_eq!(begun.join().unwrap(), (NICE_BEHIND, NORMAL));
        drop(raised);
        assert_eq!((nice(), thread_schedule_policy().unwrap()), before);
    }
}
