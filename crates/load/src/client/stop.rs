//! The wish to stop: SIGTERM or SIGINT, as a thing to wait for and to ask.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The wish to stop.
#[derive(Debug)]
pub struct StopSignal {
    signals: SignalFd,
    wished: Cell<bool>,
}

impl StopSignal {
    /// From now on this thread is not ended by SIGTERM and SIGINT, which are read instead. To be called before other
    /// threads are started.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn on_signals() -> io::Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { signals, wished: Cell::new(false) })
    }

    /// Whether somebody has wished it.
    pub fn is_wished(&self) -> bool {
        if self.signals.read_signal().ok().flatten().is_some() {
            self.wished.set(true);
        }
        self.wished.get()
    }
}

impl AsFd for StopSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}
