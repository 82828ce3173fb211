//! Cookies: the session's, and those that let a form survive the session's end.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use jiff::Timestamp;

use super::transport::Transport;
use crate::credentials::Secret;
use crate::domain::problem::Problem;
use crate::store::REMEMBERED;

/// The cookie's name over https. Browsers accept a `__Host-` cookie from this host only, and over https only.
pub const SESSION_COOKIE: &str = "__Host-dyno_session";
/// Its name over plain http, which is for this machine only.
const LOOPBACK_COOKIE: &str = "dyno_session";

/// Holds the secret of a session that was signed out here. It authenticates nothing; it attributes forms that another tab still
/// sends.
const ENDED_COOKIE: &str = "dyno_ended";
/// Holds the secret that gives back the entries of a form sent without a session.
const FORM_COOKIE: &str = "dyno_form_key";
/// How long the ended session is remembered, for tabs with an open form.
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

/// Checks that this transport may carry a session cookie; called before a password is verified.
pub(super) fn allowed(transport: Transport) -> Result<(), Problem> {
    name(transport).map(drop)
}

/// `Set-Cookie` that begins a session. The cookie outlives the session by the time for which the session's owner is remembered.
pub(super) fn begin(transport: Transport, secret: &Secret, ends: Timestamp, now: Timestamp) -> Result<HeaderValue, Problem> {
    header(transport, secret.expose(), (ends + REMEMBERED).duration_since(now).as_secs().max(0))
}

/// `Set-Cookie` that remembers the session signed out here.
pub(super) fn remember(transport: Transport, ended: &Secret) -> Result<HeaderValue, Problem> {
    named(ENDED_COOKIE, transport, ended.expose(), ENDED_AGE_S)
}

/// The session last signed out in this browser.
pub(super) fn ended(headers: &HeaderMap) -> Option<Secret> {
    other(ENDED_COOKIE, headers)
}

/// `Set-Cookie` with the secret of entries sent without a session.
pub(super) fn form_key(transport: Transport, key: &Secret, max_age_s: i64) -> Result<HeaderValue, Problem> {
    named(FORM_COOKIE, transport, key.expose(), max_age_s)
}

/// The secret of such entries.
pub(super) fn read_form_key(headers: &HeaderMap) -> Option<Secret> {
    other(FORM_COOKIE, headers)
}

fn other(name: &str, headers: &HeaderMap) -> Option<Secret> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name).map(Cookie::value).filter(|value| !value.is_empty()).map(Secret::new)
}

/// `Set-Cookie` that removes the session cookie.
pub(super) fn end(transport: Transport) -> Result<HeaderValue, Problem> {
    header(transport, "", 0)
}

/// The session secret of a request.
pub(super) fn read(transport: Transport, headers: &HeaderMap) -> Option<Secret> {
    let name = name(transport).ok()?;
    CookieJar::from_headers(headers).get(name).map(|cookie| Secret::new(cookie.value()))
}
