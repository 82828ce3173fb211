//! Live updates of a run's page from one event stream, whose content the server has rendered.

use leptos::prelude::*;

/// Follows a run until its end.
#[island]
pub fn FollowRun(
    address: String,
    /// The number of the last event that the page has.
    after: i64,
) -> impl IntoView {
    #[cfg(feature = "browser")]
    {
        in_browser::watch_logs(&address);
        leptos::task::spawn_local(in_browser::follow(address, after));
    }
    #[cfg(not(feature = "browser"))]
    let _ = (address, after);
}

#[cfg(feature = "browser")]
mod in_browser {
    use futures::future::{Either, select};
    use futures::stream::{SelectAll, StreamExt};
    use gloo_net::eventsource::State;
    use gloo_net::eventsource::futures::{EventSource, EventSourceSubscription};
    use gloo_net::http::Request;
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlElement, MessageEvent};

    use crate::domain::live::LOG_LINES;
    use crate::islands::dom;

    /// How often the connection's state is checked, ms.
    const LOOK_MS: i32 = 1000;
    /// Pause before a refused stream is requested again, ms.
    const RETRY_MS: i32 = 3000;
    /// A log scrolled to within this distance of its end follows new lines, pixels.
    const AT_END: i32 = 8;

    /// Follows the run to its end, reconnecting after lost connections.
    pub async fn follow(address: String, mut after: i64) {
        loop {
            if let Some((source, events)) = open(&format!("{address}?after={after}"))
                && read(source, events, &mut after).await
            {
                connected();
                return;
            }
            lost();
            if is_signed_out(&address).await {
                dom::show("signed-out", true);
                dom::show("live-lost", false);
            }
            dom::sleep(RETRY_MS).await;
        }
    }

    fn open(address: &str) -> Option<(EventSource, SelectAll<EventSourceSubscription>)> {
        let mut source = EventSource::new(address).ok()?;
        let mut events = SelectAll::new();
        for name in ["part", "log", "said", "end"] {
            events.push(source.subscribe(name).ok()?);
        }
        Some((source, events))
    }

    /// Processes the stream; returns whether the run has ended. The browser itself reconnects after an interruption.
    async fn read(source: EventSource, mut events: SelectAll<EventSourceSubscription>, after: &mut i64) -> bool {
        loop {
            match select(events.next(), Box::pin(dom::sleep(LOOK_MS))).await {
                Either::Left((Some(Ok((name, event))), _)) => {
                    connected();
                    *after = event.last_event_id().parse().unwrap_or(*after);
                    take(&name, &event);
                    if name == "end" {
                        return true;
                    }
                }
                Either::Left(_) => return false,
                Either::Right(_) => match source.state() {
                    State::Open => connected(),
                    State::Connecting => lost(),
                    State::Closed => return false,
                },
            }
        }
    }

    fn connected() {
        dom::show("live-lost", false);
        dom::show("signed-out", false);
    }

    fn lost() {
        let is_said = |id: &str| dom::by_id(id).is_some_and(|notice| !notice.hidden());
        if is_said("live-lost") || is_said("signed-out") {
            return;
        }
        let now = js_sys::Date::new_0();
        if let Some(since) = dom::by_id("live-lost-since") {
            since.set_text_content(Some(&format!("{:02}:{:02}:{:02}", now.get_hours(), now.get_minutes(), now.get_seconds())));
            let utc = now.to_iso_string().as_string().unwrap_or_default();
            // can't fail: the attribute's name is valid
            let _ = since.set_attribute("title", &utc);
        }
        dom::show("live-lost", true);
    }

    /// Whether the session has ended: `EventSource` does not report why a stream was refused.
    async fn is_signed_out(address: &str) -> bool {
        let asked = gloo_net::http::RequestBuilder::new(address).method(gloo_net::http::Method::HEAD).send().await;
        asked.is_ok_and(|answer| answer.status() == 401)
    }

    /// Applies an event: its first line names the target, the rest is the content.
    fn take(name: &str, event: &MessageEvent) {
        let data = event.data().as_string().unwrap_or_default();
        let (head, body) = data.split_once('\n').unwrap_or((&data, ""));
        match name {
            "part" => {
                if let Some(part) = dom::by_id(head) {
                    dom::update(&part, body);
                }
            }
            "log" => {
                let _ = grow(head, body);
            }
            "said" => {
                if let Some(said) = dom::by_id("live-said") {
                    said.set_text_content(Some(head));
                }
            }
            _ => {}
        }
    }

    /// Appends lines to a stage's log. The head is `STAGE open 12 lines`: whether the log opens by itself, and its number of
    /// lines.
    fn grow(head: &str, lines: &str) -> Option<()> {
        let mut words = head.splitn(3, ' ');
        let (stage, state, count) = (words.next()?, words.next()?, words.next()?);
        let details = dom::by_id(&format!("log-{stage}"))?;
        let (list, area) = (list_of(&details)?, area_of(&details)?);
        details.set_hidden(false);
        if !details.has_attribute("data-by-hand") {
            details.toggle_attribute_with_force("open", state == "open").ok()?;
        }
        details.query_selector("[data-count]").ok()??.set_text_content(Some(count));
        let follows = at_end(&area);
        list.insert_adjacent_html("beforeend", lines).ok()?;
        // earlier lines that the reader has loaded are not dropped
        while !list.has_attribute("data-earlier") && list.child_element_count() as usize > LOG_LINES {
            list.first_element_child()?.remove();
            show_more(&details, true);
        }
        if follows {
            area.set_scroll_top(area.scroll_height());
        }
        Some(())
    }

    fn list_of(details: &Element) -> Option<Element> {
        details.query_selector("ol").ok()?
    }

    fn area_of(details: &Element) -> Option<Element> {
        details.query_selector(".log").ok()?
    }

    fn at_end(area: &Element) -> bool {
        area.scroll_top() + area.client_height() >= area.scroll_height() - AT_END
    }

    fn show_more(details: &Element, shown: bool) {
        if let Ok(Some(more)) = details.query_selector("[data-more]")
            && let Some(more) = more.dyn_ref::<HtmlElement>()
        {
            more.set_hidden(!shown);
        }
    }

    /// Keeps the open state of logs that the reader changed, and loads earlier lines on request.
    pub fn watch_logs(address: &str) {
        let address = address.to_owned();
        if let Ok(logs) = document().query_selector_all(".stage-log") {
            for index in 0..logs.length() {
                if let Some(area) = logs.get(index).and_then(|log| area_of(log.dyn_ref()?)) {
                    area.set_scroll_top(area.scroll_height());
                }
            }
        }
        // never removed: needed as long as the page is open
        let _ = window_event_listener(leptos::ev::click, move |event| {
            let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
            let closest = |selector: &str| target.closest(selector).ok().flatten();
            let Some(details) = closest(".stage-log") else { return };
            if closest("summary").is_some() {
                // can't fail: the attribute's name is valid
                let _ = details.set_attribute("data-by-hand", "");
            } else if closest("[data-more]").is_some() {
                leptos::task::spawn_local(load_earlier(address.clone(), details));
            }
        });
    }

    async fn load_earlier(address: String, details: Element) {
        let id = details.id();
        let stage = id.trim_start_matches("log-");
        let Some(list) = list_of(&details) else { return };
        let first = list.first_element_child().and_then(|line| line.get_attribute("data-seq")).unwrap_or_default();
        let Ok(answer) = Request::get(&format!("{address}/log?stage={stage}&before={first}")).send().await else { return };
        if !answer.ok() {
            return;
        }
        if let Ok(lines) = answer.text().await {
            let _ = list.insert_adjacent_html("afterbegin", &lines);
            let _ = list.set_attribute("data-earlier", "");
            let has_more = answer.headers().get("x-more").is_some();
            show_more(&details, has_more);
        }
    }
}
