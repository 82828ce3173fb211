//! What the system gives the client's thread: its priority, and how long it had to wait for a core.

use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority};

/// The priority that is asked for where real time is not permitted. Not the highest: the client sleeps most of the time, and
/// comes first when it wakes.
const NICE: i32 = -10;
/// The priority of what may wait, such as prompts that are written before their time.
const NICE_BEHIND: i32 = 10;
/// A thread under it runs as soon as it wakes, whoever else wants its core. The system still keeps a part of each second for
/// the others, so that one that never sleeps stops nobody.
const REAL_TIME: ThreadSchedulePolicy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
const NORMAL: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);

/// What the client's thread has over others that want its core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    RealTime,
    Nice,
    /// The system permits neither.
    Denied,
}

/// Has this thread come first among those that want its core, as far as the system permits that, until dropped.
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
        // not everybody may
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
        // down again is always permitted
        if self.precedence == Precedence::RealTime {
            leave_real_time();
        }
        if let Some(before) = self.before.filter(|_| self.precedence != Precedence::Denied) {
            let _ = rustix::process::setpriority_process(None, before);
        }
    }
}

/// Has this thread scheduled as usual. Its nice value is for the caller to set afterwards.
fn leave_real_time() {
    // The call sets a nice value, too: the best one fails where it is not permitted, and the worst could not be taken back.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Max, NORMAL);
}

/// Has this thread stand behind the others from now on, also where it was begun by one that comes first.
pub fn stand_behind() {
    if thread_schedule_policy().is_ok_and(|policy| policy == REAL_TIME) {
        leave_real_time();
    }
    // where that fails it is as important as the rest
    let _ = rustix::process::setpriority_process(None, NICE_BEHIND);
}

/// How long this thread has been ready to run without a core to run on, ns; nothing where the system does not count it.
pub fn waited_for_core() -> Option<i64> {
    of_schedstat(&std::fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// Time on a core, time waiting for one, time slices.
fn of_schedstat(text: &str) -> Option<i64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_second_number() {
        assert_eq!(of_schedstat("928495 2968138 2\n"), Some(2_968_138));
        assert_eq!(of_schedstat(""), None);
        assert_eq!(of_schedstat("1 x 2"), None);
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
            stand_behind();
            (nice(), thread_schedule_policy().unwrap())
        });
        assert_eq!(begun.join().unwrap(), (NICE_BEHIND, NORMAL));
        drop(raised);
        assert_eq!((nice(), thread_schedule_policy().unwrap()), before);
    }
}
