//! What the system gives the client's thread: its priority, and how long it had to wait for a core.

/// The priority that is asked for. Not the highest: the client sleeps most of the time, and comes first when it wakes.
const NICE: i32 = -10;
/// The priority of what may wait, such as prompts that are written before their time.
const NICE_BEHIND: i32 = 10;

/// Has this thread come first among those that want its core, where the system permits that, until dropped.
#[derive(Debug)]
pub struct Priority {
    /// What it was before, where it was raised.
    before: Option<i32>,
}

impl Priority {
    pub fn raise() -> Self {
        let before = rustix::process::getpriority_process(None).ok().filter(|nice| *nice > NICE);
        // not everybody may
        Self { before: before.filter(|_| rustix::process::setpriority_process(None, NICE).is_ok()) }
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // down again is always permitted
            let _ = rustix::process::setpriority_process(None, before);
        }
    }
}

/// Has this thread stand behind the others from now on.
pub fn stand_behind() {
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
    fn a_priority_is_given_back() {
        let of_thread = || rustix::process::getpriority_process(None).unwrap();
        let before = of_thread();
        let raised = Priority::raise();
        assert_eq!(of_thread(), if raised.before.is_some() { NICE } else { before });
        drop(raised);
        assert_eq!(of_thread(), before);
    }
}
