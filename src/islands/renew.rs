//! Refreshes a part of a page: requests the page periodically and takes over the part.

use leptos::prelude::*;

/// Refreshes a part of the page as long as it has the attribute `data-renew`. If the address redirects elsewhere, the browser
/// goes there; if it redirects to the sign-in, the reader is told.
#[island]
pub fn Renew(
    #[prop(into)] part: String,
    /// How often, in milliseconds.
    every_ms: i32,
    /// The address to request; empty: the page's own.
    #[prop(into)]
    address: String,
) -> impl IntoView {
    #[cfg(feature = "browser")]
    leptos::task::spawn_local(in_browser::renew(part, every_ms, address));
    #[cfg(not(feature = "browser"))]
    let _ = (part, every_ms, address);
}

#[cfg(feature = "browser")]
mod in_browser {
    use gloo_net::http::Request;
    use leptos::prelude::window;

    use crate::islands::dom;

    pub async fn renew(part: String, every_ms: i32, address: String) {
        while dom::by_id(&part).is_some_and(|part| part.has_attribute("data-renew")) {
            dom::sleep(every_ms).await;
            // after a failed request the page stays as it is until the next
            let _ = once(&part, &address).await;
        }
    }

    async fn once(part: &str, address: &str) -> Option<()> {
        let location = window().location();
        let here = location.pathname().ok()? + &location.search().ok()?;
        // requests HTML, since other requests are not redirected
        let request = Request::get(if address.is_empty() { &here } else { address }).header("accept", "text/html");
        let answer = request.send().await.ok()?;
        let signed_out = answer.redirected() && path_of(&answer.url()).starts_with("/sign-in");
        dom::show("signed-out", signed_out);
        if signed_out {
            return None;
        }
        if answer.redirected() {
            return location.replace(&answer.url()).ok();
        }
        if !answer.ok() {
            return None;
        }
        let page = dom::parse(&answer.text().await.ok()?)?;
        let (target, fresh) = (dom::by_id(part)?, page.get_element_by_id(part)?);
        dom::update_attributes(&target, &fresh);
        // inserted as HTML text, since `DOMParser` runs without scripting and parses the content of `<noscript>` as elements
        dom::update(&target, &fresh.inner_html());
        Some(())
    }

    fn path_of(url: &str) -> String {
        web_sys::Url::new(url).map(|url| url.pathname()).unwrap_or_default()
    }
}
