//! Who makes a request, and whether it may pass: sessions and their cookie, tokens, passwords, the throttle of sign-ins, the
//! layer that refuses requests of unknown senders.

pub mod auth_layer;
mod cookie;
pub mod expired_session_form;
mod identity;
pub mod multipart;
mod password;
pub mod session;
pub mod throttle;
mod token;
pub mod transport;

pub use cookie::SESSION_COOKIE;
pub use identity::{
    Administrator, Caller, SignedIn, begin_session, caller, claim_entries, context, end_session, still_signed_in, visitor,
};
pub use password::{LEAST_PASSWORD, hash_password, verify_password};
pub use token::{digest, random_token};
