//! The portal's process: configuration, the state that all handlers share, who is signed in, the router with its layers,
//! event streams, start and stop.

mod app;
pub mod config;
mod cookie;
mod files;
mod gate;
mod headers;
mod host;
mod identity;
mod late_form;
mod live;
mod log;
mod multipart;
mod password;
mod problem;
mod router;
pub mod sse;
mod start;
pub mod style;
mod throttle;
mod token;

pub use app::{App, AppInner, StartError};
pub use config::{Config, ConfigError, ServeArgs};
pub use cookie::SESSION_COOKIE;
pub use identity::{Caller, SignedIn, begin_session, caller, claim_entries, context, end_session, visitor};
pub use password::{LEAST_PASSWORD, hash_password, verify_password};
pub use router::router;
pub use start::{Portal, migrate, serve};
pub use throttle::Throttle;
pub use token::{digest, random_token};
