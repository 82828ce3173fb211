//! Identifies the sender of a request: by session cookie (browsers) or `Authorization: Bearer` (scripts).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use jiff::Timestamp;
use leptos::prelude::use_context;

use super::cookie;
use super::session::{self, NewSession, SESSION_IDLE};
use super::token::digest;
use super::transport::{self, Transport};
use crate::credentials::Secret;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::state::{AppState, Config};

/// Extractor of the signed-in person; answers 401 to anybody else.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Actor);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        // set by the layer; a router without it identifies the sender here
        if let Some(actor) = parts.extensions.get::<Actor>() {
            return Ok(Self(actor.clone()));
        }
        let transport = transport(app, parts);
        let actor = identify(app, transport, &parts.headers).await?;
        actor.map(Self).ok_or_else(not_signed_in)
    }
}

/// Extractor of a signed-in administrator; placed before the body's extractor it answers 403 to anybody else, whatever the body
/// holds.
#[derive(Debug, Clone)]
pub struct Administrator(pub Actor);

impl FromRequestParts<AppState> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let SignedIn(actor) = SignedIn::from_request_parts(parts, app).await?;
        if actor.is_administrator() { Ok(Self(actor)) } else { Err(Problem::forbidden("Only administrators may do this.")) }
    }
}

/// The session or token, and the address, that a request comes from.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The hash of its session; none for scripts.
    pub session: Option<Vec<u8>>,
    /// The hash of its token; none for browsers, and for the configured administrator token.
    pub token: Option<Vec<u8>>,
    pub peer: IpAddr,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self::of(app, parts))
    }
}

impl Caller {
    fn of(app: &AppState, parts: &Parts) -> Self {
        let authorization = parts.headers.get(header::AUTHORIZATION);
        let secret = cookie::read(transport(app, parts), &parts.headers).filter(|_| authorization.is_none());
        let token = authorization.and_then(|value| value.to_str().ok()).and_then(bearer).map(digest);
        Self {
            session: secret.map(|secret| digest(secret.expose()).to_vec()),
            token: token.filter(|hash| !is_admin_token(&app.config, hash)).map(|hash| hash.to_vec()),
            peer: peer(&app.config, &parts.extensions, &parts.headers),
        }
    }
}

pub(super) fn not_signed_in() -> Problem {
    Problem::new(ProblemKind::Unauthorized, "Sign in, or send a token.")
}

fn transport(app: &AppState, parts: &Parts) -> Transport {
    parts
        .extensions
        .get::<Transport>()
        .copied()
        .or_else(|| {
            transport::authority(&parts.uri, &parts.headers).and_then(|authority| transport::transport(&app.config, authority))
        })
        .unwrap_or(Transport::Plain)
}

/// The sender. With an invalid token the sender is unknown, even if there is a session cookie.
pub(super) async fn identify(app: &AppState, transport: Transport, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
    let now = Timestamp::now();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let Some(token) = value.to_str().ok().and_then(bearer) else { return Ok(None) };
        let hash = digest(token);
        if is_admin_token(&app.config, &hash) {
            let user = app.store.first_administrator(now).await?;
            return Ok(Some(Actor { id: user.id, name: user.name, role: user.role }));
        }
        return Ok(app.store.token_actor(&hash, now).await?);
    }
    match cookie::read(transport, headers) {
        Some(secret) => Ok(app.store.session_actor(&digest(secret.expose()), now, SESSION_IDLE).await?),
        None => Ok(None),
    }
}

/// Whether this is the configured administrator token. Digests are compared, so that timing reveals nothing.
fn is_admin_token(config: &Config, hash: &[u8]) -> bool {
    config.admin_token.as_ref().is_some_and(|admin| digest(admin.expose()) == hash)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The client's address. Forwarding headers count only from a configured proxy; of a chain of addresses, the last that is not
/// such a proxy counts.
pub(super) fn peer(config: &Config, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    let direct = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip().to_canonical());
    let trusted = |address: &IpAddr| config.trusted_proxies.contains(address);
    if !trusted(&direct) {
        return direct;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<IpAddr> =
        forwarded.flat_map(|value| value.split(',')).filter_map(|address| address.trim().parse().ok()).collect();
    chain.into_iter().rev().find(|address| !trusted(address)).unwrap_or(direct)
}

/// For long-running requests: a problem once their session has ended, their token was deleted, or the account was disabled or
/// removed.
pub async fn still_signed_in(app: &AppState, actor: &Actor, caller: &Caller) -> Result<(), Problem> {
    let now = Timestamp::now();
    let still = match (&caller.session, &caller.token) {
        (Some(session), _) => app.store.session_actor(session, now, SESSION_IDLE).await?.is_some(),
        (None, Some(token)) => app.store.token_actor(token, now).await?.is_some(),
        (None, None) => app.store.is_open_account(actor.id).await?,
    };
    if still { Ok(()) } else { Err(Problem::new(ProblemKind::Unauthorized, "You are signed out.")) }
}

/// For server functions: the portal's state and the actor.
pub fn context() -> Result<(AppState, Actor), Problem> {
    let (app, parts) = request()?;
    let actor = parts.extensions.get::<Actor>().cloned().ok_or_else(not_signed_in)?;
    Ok((app, actor))
}

/// For server functions: the caller.
pub fn caller() -> Result<Caller, Problem> {
    let (app, parts) = request()?;
    Ok(Caller::of(&app, &parts))
}

/// For server functions that need no session: the portal's state and the client's address. A problem on transports without
/// session cookies, that is over plain http from elsewhere.
pub fn visitor() -> Result<(AppState, IpAddr), Problem> {
    let (app, parts) = request()?;
    cookie::allowed(transport(&app, &parts))?;
    let peer = peer(&app.config, &parts.extensions, &parts.headers);
    Ok((app, peer))
}

/// For server functions: sets the cookie of a new session.
pub fn begin_session(session: &NewSession) -> Result<(), Problem> {
    let (app, parts) = request()?;
    set_cookie(cookie::begin(transport(&app, &parts), &session.secret, session.ends, Timestamp::now())?)
}

/// For server functions: gives the person the entries that this browser sent without a session, if `next` refers to them.
pub async fn claim_entries(actor: &Actor, next: &str) -> Result<(), Problem> {
    let (app, parts) = request()?;
    super::expired_session_form::claim(&app, actor, &parts.headers, next).await
}

/// For server functions: ends the session in the store and in the browser.
pub async fn end_session() -> Result<(), Problem> {
    let (app, parts) = request()?;
    let transport = transport(&app, &parts);
    let secret: Option<Secret> = cookie::read(transport, &parts.headers);
    if let Some(secret) = secret {
        session::end(&app, &secret).await?;
        // a form that is open in another tab is still attributed to this person
        set_cookie(cookie::remember(transport, &secret)?)?;
    }
    set_cookie(cookie::end(transport)?)
}

fn set_cookie(value: axum::http::HeaderValue) -> Result<(), Problem> {
    let response = use_context::<leptos_axum::ResponseOptions>().ok_or_else(outside)?;
    response.append_header(header::SET_COOKIE, value);
    Ok(())
}

fn request() -> Result<(AppState, Parts), Problem> {
    let app = use_context::<AppState>().ok_or_else(outside)?;
    let parts = use_context::<Parts>().ok_or_else(outside)?;
    Ok((app, parts))
}

fn outside() -> Problem {
    tracing::error!("a server function was called outside of a request");
    Problem::new(ProblemKind::Internal, "Something went wrong on the server. Its log says what.")
}
