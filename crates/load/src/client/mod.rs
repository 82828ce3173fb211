//! The measuring client: one thread, one epoll instance, sockets read by hand so that every event carries the time at
//! which the kernel received it.
//!
//! What lies on the path of a token, and why: one `recvmsg` a read with the receive stamp beside the bytes
//! (`SO_TIMESTAMPNS`), so that a late client reads late but measures right; TLS undone from those bytes afterwards, so that
//! the stamps hold there too; framing, events and JSON walked in place, without a tree and without an allocation; gaps
//! packed in three or four bytes. Tokens are counted after the load.
//!
//! What was tried, and what each step gained (`benches/clients.mjs`, server and client on a core each; CPU time per token of
//! the whole process, as a part of what it was before the step):
//!
//! | step | 4,000 streams at 50 ms | 64 streams, as fast as possible |
//! |---|---|---|
//! | sockets watched edge-triggered, once; no timer set anew each turn; a look at the clocks each turn, not each read | 0.92–0.98 | – |
//! | coalesced wake-ups (`wakeup_coalescing`): the loop sleeps up to a millisecond while many slow streams go on, a tenth of one while fast ones do, and serves what came meanwhile together; neither it nor the server pays for a wake-up an event | 0.65 | with the next row 0.6, and 1.3 times the tokens/s |
//! | usual lines taken whole; a chunk that repeats the one before but for its text is compared, not walked through (`stream::repeat`) | 0.93 | 0.88 with 64 events a write |
//! | io_uring, multishot `recvmsg` with stamps, deferred or cooperative task work, in a bare client beside the same with epoll | 0.94–1.05 | – |
//!
//! The last was left out: once many events share a wake-up, what a read costs is TCP itself (the copy, the acknowledgement),
//! which is the same either way; it needs unsafe code, and containers often forbid it.
//!
//! What was wrong in the latencies and is mended: a connection stands before the server has taken it up, and first requests
//! waited for that (tens of ms with 4,000 connections), so servers are given time to (`Driver::settle`); after a late turn
//! several events wait in one socket, and head, role and first text, which share a time, were taken for the last of them
//! (`Driver::read_apart`). What can't be mended: packets that the kernel itself merges while nobody reads have one stamp.

pub mod clock;
pub mod connection;
pub mod drive;
pub mod exchange;
pub mod failure;
pub mod framing;
pub mod health;
pub mod outcome;
pub mod phase;
mod refusal;
pub mod scheduling;
pub mod socket;
pub mod stop;
pub mod tls;
pub mod wakeup_coalescing;
