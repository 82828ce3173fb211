//! The session's cookie.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use jiff::Timestamp;

use super::host::Channel;
use crate::credentials::Secret;
use crate::domain::problem::Problem;

/// The cookie's name over https. Browsers let a `__Host-` cookie be set by the very host only, and over https only.
pub const SESSION_COOKIE: &str = "__Host-dyno_session";
/// On plain http, which is for this machine only.
const LOOPBACK_COOKIE: &str = "dyno_session";

fn name(channel: Channel) -> Result<&'static str, Problem> {
    match channel {
        Channel::Https => Ok(SESSION_COOKIE),
        Channel::Loopback => Ok(LOOPBACK_COOKIE),
        Channel::Plain => Err(Problem::forbidden(
            "Signing in needs https, or a browser on the portal's own machine: over plain http everybody on the way could read \
             the session.",
        )),
    }
}

fn header(channel: Channel, value: &str, max_age_s: i64) -> Result<HeaderValue, Problem> {
    let cookie = Cookie::build((name(channel)?, value.to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(channel == Channel::Https);
    let text = format!("{}; Max-Age={max_age_s}", cookie.build());
    HeaderValue::from_str(&text).map_err(|_| Problem::forbidden("The session can't be put into a cookie."))
}

/// Whether a browser on this channel may have a session; said before a password is looked at.
pub(super) fn allowed(channel: Channel) -> Result<(), Problem> {
    name(channel).map(drop)
}

/// `Set-Cookie` that begins a session.
pub(super) fn begin(channel: Channel, secret: &Secret, ends: Timestamp, now: Timestamp) -> Result<HeaderValue, Problem> {
    header(channel, secret.expose(), ends.duration_since(now).as_secs().max(0))
}

/// `Set-Cookie` that ends it.
pub(super) fn end(channel: Channel) -> Result<HeaderValue, Problem> {
    header(channel, "", 0)
}

/// The session's secret that a request brings.
pub(super) fn read(channel: Channel, headers: &HeaderMap) -> Option<Secret> {
    let name = name(channel).ok()?;
    CookieJar::from_headers(headers).get(name).map(|cookie| Secret::new(cookie.value()))
}
