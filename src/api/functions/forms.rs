//! How forms answer, with WASM and without it alike: a form posts to a server function; done well, the function redirects
//! to the next page; refused, it keeps what was typed and what is wrong for a while and redirects back to the form's page
//! with `?flash=ID`, and that page's data holds the [`Flash`].
//!
//! A person who is not signed in has nothing in the store: the sign-in forms keep theirs in a cookie for two minutes.

use leptos::prelude::*;

use super::CallError;
use crate::domain::form::Flash;

/// What is kept under a `?flash=` of this person's; nothing when it is gone.
#[server(endpoint = "ui/flash")]
pub async fn load_flash(#[server(default)] id: String) -> Result<Option<Flash>, CallError> {
    Ok(kept(&id).await)
}

pub use on_server::*;

mod on_server {
    use axum::http::{HeaderMap, HeaderValue, header, request::Parts};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jiff::civil::Date;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, Timestamp};
    use leptos::prelude::*;
    use uuid::Uuid;

    use crate::api::functions::{CallError, local_path, query_escape};
    use crate::auth::transport::Transport;
    use crate::domain::form::Flash;
    use crate::domain::list::ListQuery;
    use crate::domain::problem::{Problem, ProblemKind};
    use crate::store::EntryOf;

    /// How long a refused form's entries are kept: long enough for a slow connection and a reload or two.
    const KEPT: SignedDuration = SignedDuration::from_mins(30);
    const COOKIE: &str = "dyno_form";
    const THEME_COOKIE: &str = "dyno_theme";
    /// Set by the browser's half, at every visit.
    const ZONE_COOKIE: &str = "dyno_zone";

    /// The fields of a refused form, by name.
    pub use crate::domain::workflow::step_form::Entries;

    /// Names and values as entries.
    pub fn entries(fields: &[(&str, &str)]) -> Entries {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Redirects to a path of this portal.
    pub fn go(path: &str) {
        leptos_axum::redirect(&local_path(path));
    }

    /// Answers a form: to the next page, or back to `here` with what was typed and what is wrong.
    pub async fn answer(result: Result<String, Problem>, here: &str, entries: Entries) -> Result<(), CallError> {
        match result {
            Ok(next) => go(&next),
            Err(problem) if problem.kind == ProblemKind::Unauthorized => go(&format!("/sign-in?next={}", query_escape(here))),
            Err(problem) => show_again(&Flash::new(entries, problem), here).await?,
        }
        Ok(())
    }

    /// Redirects to a form's page with what it is to show in its fields.
    pub async fn show_again(flash: &Flash, here: &str) -> Result<(), CallError> {
        let id = keep(flash).await?;
        let joint = if here.contains('?') { '&' } else { '?' };
        go(&format!("{here}{joint}flash={id}"));
        Ok(())
    }

    async fn keep(flash: &Flash) -> Result<Uuid, Problem> {
        let (app, actor) = crate::auth::context()?;
        let data =
            serde_json::to_value(flash).map_err(|_| Problem::new(ProblemKind::Internal, "What was typed could not be kept."))?;
        Ok(app.store.keep_form_entry(EntryOf::Person(actor.id), &data, Timestamp::now() + KEPT).await?)
    }

    /// What is kept under an id; nothing when it is gone, another person's or not readable.
    pub async fn kept(id: &str) -> Option<Flash> {
        let id = Uuid::parse_str(id).ok()?;
        let (app, actor) = crate::auth::context().ok()?;
        let data = app.store.form_entry(&actor, id, Timestamp::now()).await.ok()?;
        serde_json::from_value(data).ok()
    }

    /// Answers a form of somebody who is not signed in: the entries travel in a cookie of that browser.
    pub fn answer_visitor(result: Result<String, Problem>, here: &str, entries: Entries) {
        match result {
            Ok(next) => {
                set_cookie("", 0);
                go(&next);
            }
            Err(problem) => {
                let json = serde_json::to_vec(&Flash::new(entries, problem)).unwrap_or_default();
                set_cookie(&URL_SAFE_NO_PAD.encode(json), 120);
                go(here);
            }
        }
    }

    /// What the visitor's cookie keeps, once: the next visit begins afresh.
    pub fn take_kept_for_visitor() -> Option<Flash> {
        let text = cookie(COOKIE)?;
        set_cookie("", 0);
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// The theme that this browser chose: `light` or `dark`.
    pub fn chosen_theme() -> Option<String> {
        cookie(THEME_COOKIE).filter(|theme| is_theme(theme))
    }

    /// Keeps the choice of theme for a year; anything but `light` and `dark` ends it. Answers what is in force.
    pub fn choose_theme(theme: String) -> Option<String> {
        let theme = Some(theme).filter(|theme| is_theme(theme));
        let (value, age_s) = theme.as_deref().map_or(("", 0), |theme| (theme, 365 * 24 * 3600));
        append_cookie(&format!("{THEME_COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={age_s}"));
        theme
    }

    /// The reader's time zone, as their browser said at an earlier visit; UTC until it has. What draws without a request provides it
    /// as a context.
    pub fn readers_zone() -> Zone {
        use_context::<Zone>().or_else(|| Zone::of_headers(&use_context::<Parts>()?.headers)).unwrap_or_default()
    }

    /// A time zone that times are written in.
    #[derive(Debug, Clone)]
    pub struct Zone(TimeZone);

    impl Default for Zone {
        fn default() -> Self {
            Self(TimeZone::UTC)
        }
    }

    impl Zone {
        /// The zone of the browser that sent a request; nothing where it said none.
        pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
            axum_extra::extract::CookieJar::from_headers(headers).get(ZONE_COOKIE).and_then(|zone| Self::named(zone.value()))
        }

        /// `Europe/Berlin`; nothing for a name that this system does not know.
        pub fn named(name: &str) -> Option<Self> {
            TimeZone::get(name).ok().map(Self)
        }

        /// `24 Nov, 11:55`; with `UTC` behind it where no other zone is known.
        pub fn short(&self, at: Timestamp) -> String {
            self.write(at, "%-d %b, %H:%M")
        }

        /// `24 Nov 2026, 11:55`
        pub fn long(&self, at: Timestamp) -> String {
            self.write(at, "%-d %b %Y, %H:%M")
        }

        /// `11:55:12`
        pub fn clock(&self, at: Timestamp) -> String {
            self.write(at, "%H:%M:%S")
        }

        /// A list's query with the instants of this zone's days in place of the days, whose ends differ from UTC's. What is no day
        /// stays, for the list to refuse.
        pub fn days_of(&self, query: ListQuery) -> ListQuery {
            let begin = |day: Date| self.0.to_timestamp(day.at(0, 0, 0, 0)).ok().map(|begin| begin.to_string());
            // an instant is in a zone already
            let is_day = |text: &&str| text.parse::<Timestamp>().is_err();
            let day = |text: &Option<String>| text.as_deref().filter(is_day)?.parse::<Date>().ok();
            let from = day(&query.from).and_then(begin);
            let to = day(&query.to).and_then(|day| begin(day.tomorrow().ok()?));
            ListQuery { from: from.or(query.from), to: to.or(query.to), ..query }
        }

        /// `Europe/Berlin`
        pub fn name(&self) -> &str {
            self.0.iana_name().unwrap_or("UTC")
        }

        fn write(&self, at: Timestamp, format: &str) -> String {
            let suffix = if self.0 == TimeZone::UTC { " UTC" } else { "" };
            format!("{}{suffix}", at.to_zoned_datetime(self.0.clone()).strftime(format))
        }
    }

    fn is_theme(theme: &str) -> bool {
        theme == "light" || theme == "dark"
    }

    /// A cookie of the request.
    fn cookie(name: &str) -> Option<String> {
        let parts = use_context::<Parts>()?;
        let jar = axum_extra::extract::CookieJar::from_headers(&parts.headers);
        jar.get(name).map(|cookie| cookie.value().to_owned())
    }

    fn set_cookie(value: &str, max_age_s: u32) {
        append_cookie(&format!("{COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}"));
    }

    /// Adds a `Set-Cookie` header to the answer.
    fn append_cookie(text: &str) {
        let https = use_context::<Parts>().is_some_and(|parts| parts.extensions.get() == Some(&Transport::Https));
        let text = &if https { format!("{text}; Secure") } else { text.to_owned() };
        if let (Some(response), Ok(value)) = (use_context::<leptos_axum::ResponseOptions>(), HeaderValue::from_str(text)) {
            response.append_header(header::SET_COOKIE, value);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn times_are_the_readers() {
            let at: Timestamp = "2026-11-24T23:55:00Z".parse().unwrap();
            assert_eq!(Zone::named("Europe/Berlin").unwrap().short(at), "25 Nov, 00:55");
            assert_eq!(Zone::default().short(at), "24 Nov, 23:55 UTC");
            assert_eq!(Zone::named("Asia/Tokyo").unwrap().long(at), "25 Nov 2026, 08:55");
            assert_eq!(
                (Zone::named("Asia/Tokyo").unwrap().clock(at), Zone::default().clock(at)),
                ("08:55:00".into(), "23:55:00 UTC".into())
            );
            assert_eq!((Zone::named("Asia/Tokyo").unwrap().name(), Zone::default().name()), ("Asia/Tokyo", "UTC"));
            assert!(Zone::named("../../etc/passwd").is_none() && Zone::named("No/Where").is_none());
        }

        #[test]
        fn a_day_begins_at_its_first_instant_even_where_there_is_no_midnight() {
            let days = |zone: &str, from: &str, to: &str| {
                let query = ListQuery { from: Some(from.to_owned()), to: Some(to.to_owned()), ..ListQuery::default() };
                let query = Zone::named(zone).unwrap().days_of(query);
                (query.from.unwrap(), query.to.unwrap())
            };
            let of = |from: &str, to: &str| (from.to_owned(), to.to_owned());
            // In Santiago clocks are set from midnight to one o'clock on that day, and from midnight back to eleven before 5 April.
            assert_eq!(days("America/Santiago", "2026-09-06", "2026-09-06"), of("2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"));
            assert_eq!(days("America/Santiago", "2026-04-04", "2026-04-04"), of("2026-04-04T03:00:00Z", "2026-04-05T04:00:00Z"));
            assert_eq!(days("UTC", "2026-09-06", "9999-12-31"), of("2026-09-06T00:00:00Z", "9999-12-31"));
            let instants = of("2026-09-06T00:00:00+10:00", "2026-09-07T00:00:00Z");
            assert_eq!(days("Asia/Tokyo", &instants.0, &instants.1), instants);
        }
    }
}
