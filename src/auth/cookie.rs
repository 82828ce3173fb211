//! The session's cookie.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use jiff::Timestamp;

use super::transport::Transport;
use crate::credentials::Secret;
use crate::domain::problem::Problem;
use crate::store::REMEMBERED;

/// The cookie's name over https. Browsers let a `__Host-` cookie be set by the very host only, and over https only.
pub const SESSION_COOKIE: &str = "__Host-dyno_session";
/// On plain http, which is for this machine only.
const LOOPBACK_COOKIE: &str = "dyno_session";

/// The secret of a session that was ended here. It opens nothing; by it, a form that another tab still sends is known to be
/// that person's.
const ENDED_COOKIE: &str = "dyno_ended";
/// What a browser shows to get back the entries of a form that was sent without a session.
const FORM_COOKIE: &str = "dyno_form_key";
/// How long a tab may be left open with a form in it.
const ENDED_AGE_S: i64 = 24 * 3600;

fn name(transport: Transport) -> Result<&'static str, Problem> {
    match transport {
        Transport::Https => Ok(SESSION_COOKIE),
        Transport::Loopback => Ok(LOOPBACK_COOKIE),
        Transport::Plain => Err(Problem::forbidden(
            "Signing in needs https, or a browser on the portal's own machine: over plain http everybody on the way could read \
             the session.",
        )),
    }
}

fn header(transport: Transport, value: &str, max_age_s: i64) -> Result<HeaderValue, Problem> {
    named(name(transport)?, transport, value, max_age_s)
}

fn named(name: &'static str, transport: Transport, value: &str, max_age_s: i64) -> Result<HeaderValue, Problem> {
    let cookie = Cookie::build((name, value.to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(transport == Transport::Https);
    let text = format!("{}; Max-Age={max_age_s}", cookie.build());
    HeaderValue::from_str(&text).map_err(|_| Problem::forbidden("The session can't be put into a cookie."))
}

/// Whether a browser on this transport may have a session; said before a password is looked at.
pub(super) fn allowed(transport: Transport) -> Result<(), Problem> {
    name(transport).map(drop)
}

/// `Set-Cookie` that begins a session. The browser keeps it for longer than it is good for: so long is remembered whose it
/// was.
pub(super) fn begin(transport: Transport, secret: &Secret, ends: Timestamp, now: Timestamp) -> Result<HeaderValue, Problem> {
    header(transport, secret.expose(), (ends + REMEMBERED).duration_since(now).as_secs().max(0))
}

/// `Set-Cookie` that remembers which session was ended here.
pub(super) fn remember(transport: Transport, ended: &Secret) -> Result<HeaderValue, Problem> {
    named(ENDED_COOKIE, transport, ended.expose(), ENDED_AGE_S)
}

/// The session that was ended in this browser last.
pub(super) fn ended(headers: &HeaderMap) -> Option<Secret> {
    other(ENDED_COOKIE, headers)
}

/// `Set-Cookie` with what opens the entries of a form that was sent without a session.
pub(super) fn form_key(transport: Transport, key: &Secret, max_age_s: i64) -> Result<HeaderValue, Problem> {
    named(FORM_COOKIE, transport, key.expose(), max_age_s)
}

/// What opens such entries in this browser.
pub(super) fn read_form_key(headers: &HeaderMap) -> Option<Secret> {
    other(FORM_COOKIE, headers)
}

fn other(name: &str, headers: &HeaderMap) -> Option<Secret> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name).map(Cookie::value).filter(|value| !value.is_empty()).map(Secret::new)
}

/// `Set-Cookie` that ends it.
pub(super) fn end(transport: Transport) -> Result<HeaderValue, Problem> {
    header(transport, "", 0)
}

/// The session's secret that a request brings.
pub(super) fn read(transport: Transport, headers: &HeaderMap) -> Option<Secret> {
    let name = name(transport).ok()?;
    CookieJar::from_headers(headers).get(name).map(|cookie| Secret::new(cookie.value()))
}
