//! The measuring client: one thread, one epoll instance, sockets read by hand so that every event carries the time at
//! which the kernel received it.
//!
//! What lies on the path of a token, and why: one `recvmsg` a wake-up with the receive stamp beside the bytes
//! (`SO_TIMESTAMPNS`), so that a late client reads late but measures right; TLS undone from those bytes afterwards, so that
//! the stamps hold there too; framing, events and JSON walked in place, without a tree and without an allocation; gaps
//! packed in three or four bytes. Tokens are counted after the load.

pub mod boundary;
pub mod clock;
pub mod connection;
pub mod drive;
pub mod exchange;
pub mod health;
pub mod link;
pub mod nap;
pub mod outcome;
pub mod pace;
pub mod phase;
pub mod stop;
