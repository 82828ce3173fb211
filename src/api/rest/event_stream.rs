//! Server-sent events of a run: replayed from `Last-Event-ID` on, then live, up to the terminal event.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::event::{RunEvent, StoredEvent};
use crate::domain::problem::Problem;

/// How often the store is looked at when no new event is announced.
const POLL: Duration = Duration::from_secs(2);
/// Proxies close a connection on which nothing comes for a while.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The number of the last event that a browser has seen; zero at the first request.
pub fn last_event_id(headers: &HeaderMap) -> i64 {
    headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse().ok())
        .filter(|seq| *seq > 0)
        .unwrap_or(0)
}

/// The answer of an events route. `load` answers the stored events after a number, oldest first, some at a time; `news`
/// changes when there may be more (dropped senders are no harm: the store is looked at anyway). `over` says that the run was
/// over when it was looked at, before this call.
///
/// Answers 204 only if the run is over and `after` is at or past its end, so that a browser stops asking.
pub async fn events<L, F>(
    after: i64,
    over: bool,
    load: L,
    news: watch::Receiver<i64>,
    shutdown: CancellationToken,
) -> Result<Response, Problem>
where
    L: Fn(i64) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<StoredEvent>, Problem>> + Send + 'static,
{
    let first = load(after).await?;
    if over && first.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(answer(follow(after, first, load, news, shutdown).map(|stored| Ok(to_event(&stored)))))
}

/// An answer that is a stream of events.
pub fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // Proxies such as nginx would collect events otherwise.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Waits until there is news, or it is time to look at the store anyway. `None`: the portal stops.
pub async fn wait_for_news(news: &mut watch::Receiver<i64>, shutdown: &CancellationToken) -> Option<()> {
    let news_is_live = news.has_changed().is_ok();
    tokio::select! {
        () = shutdown.cancelled() => None,
        _ = news.changed(), if news_is_live => Some(()),
        () = tokio::time::sleep(POLL) => Some(()),
    }
}

fn to_event(stored: &StoredEvent) -> Event {
    let data = match &stored.event {
        RunEvent::Stage(stage) => serde_json::to_string(stage),
        RunEvent::Progress(progress) => serde_json::to_string(progress),
        RunEvent::Log(line) => serde_json::to_string(line),
        RunEvent::End(end) => serde_json::to_string(end),
    };
    Event::default().id(stored.seq.to_string()).event(stored.event.into_str()).data(data.unwrap_or_default())
}

struct Follow<L> {
    after: i64,
    ready: std::vec::IntoIter<StoredEvent>,
    ended: bool,
    load: L,
    news: watch::Receiver<i64>,
    shutdown: CancellationToken,
}

/// The events from `ready` on, up to and including the end. The stream ends early when the portal stops, or the store fails:
/// then the browser asks again.
fn follow<L, F>(
    after: i64,
    ready: Vec<StoredEvent>,
    load: L,
    news: watch::Receiver<i64>,
    shutdown: CancellationToken,
) -> impl Stream<Item = StoredEvent> + Send + 'static
where
    L: Fn(i64) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<StoredEvent>, Problem>> + Send + 'static,
{
    let state = Follow { after, ready: ready.into_iter(), ended: false, load, news, shutdown };
    stream::unfold(state, |mut state| async move {
        loop {
            if let Some(stored) = state.ready.next() {
                state.after = stored.seq;
                state.ended = matches!(stored.event, RunEvent::End(_));
                return Some((stored, state));
            }
            if state.ended {
                return None;
            }
            // Looked at before waiting: what came between the last look and now has changed `news` already.
            state.news.mark_unchanged();
            let more = (state.load)(state.after).await.ok()?;
            if !more.is_empty() {
                state.ready = more.into_iter();
                continue;
            }
            wait_for_news(&mut state.news, &state.shutdown).await?;
        }
    })
    .fuse()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt as _;
    use jiff::Timestamp;

    use super::*;
    use crate::domain::event::RunEnd;
    use dyno_measure::run::RunStatus;

    fn progress(seq: i64) -> StoredEvent {
        StoredEvent { seq, at: Timestamp::UNIX_EPOCH, event: RunEvent::Progress(Box::default()) }
    }

    fn end(seq: i64) -> StoredEvent {
        StoredEvent {
            seq,
            at: Timestamp::UNIX_EPOCH,
            event: RunEvent::End(RunEnd { status: RunStatus::Succeeded, reason: None }),
        }
    }

    type Stored = Arc<Mutex<Vec<StoredEvent>>>;

    fn loader(stored: &Stored) -> impl Fn(i64) -> futures::future::Ready<Result<Vec<StoredEvent>, Problem>> + use<> {
        let stored = Arc::clone(stored);
        move |after| {
            let found = stored.lock().unwrap().iter().filter(|event| event.seq > after).cloned().collect();
            futures::future::ready(Ok(found))
        }
    }

    #[tokio::test]
    async fn replays_then_follows_up_to_the_end() {
        let stored: Stored = Arc::new(Mutex::new(vec![progress(1), progress(2)]));
        let (tell, news) = watch::channel(2);
        let load = loader(&stored);
        let first = load(1).await.unwrap();
        let stream = follow(1, first, load, news, CancellationToken::new());
        let writer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stored.lock().unwrap().extend([progress(3), end(4)]);
            tell.send(4).unwrap();
        });
        let seen: Vec<i64> = stream.map(|event| event.seq).collect().await;
        assert_eq!(seen, [2, 3, 4]);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn news_is_not_waited_for_until_the_store_is_looked_at_anyway() {
        let (tell, mut news) = watch::channel(0);
        let shutdown = CancellationToken::new();
        assert_eq!(wait_for_news(&mut news, &shutdown).now_or_never(), None);
        tell.send(1).unwrap();
        assert_eq!(wait_for_news(&mut news, &shutdown).now_or_never(), Some(Some(())));
        shutdown.cancel();
        assert_eq!(wait_for_news(&mut news, &shutdown).now_or_never(), Some(None));
    }

    #[tokio::test]
    async fn nothing_after_the_end_is_204_and_only_then() {
        let stored: Stored = Arc::new(Mutex::new(vec![progress(1), end(2)]));
        let ask = |after: i64, over: bool| {
            let (_, news) = watch::channel(0);
            events(after, over, loader(&stored), news, CancellationToken::new())
        };
        assert_eq!(ask(2, true).await.unwrap().status(), 204);
        assert_eq!(ask(7, true).await.unwrap().status(), 204);
        assert_eq!(ask(1, true).await.unwrap().status(), 200);
        assert_eq!(ask(2, false).await.unwrap().status(), 200);
        let body = axum::body::to_bytes(ask(0, true).await.unwrap().into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains("id: 2") && text.contains("event: end") && text.contains(r#"data: {"status":"succeeded""#),
            "{text}"
        );
    }

    #[tokio::test]
    async fn the_portals_stop_ends_a_stream() {
        let stop = CancellationToken::new();
        let (_tell, news) = watch::channel(0);
        let stream = follow(0, Vec::new(), loader(&Stored::default()), news, stop.clone());
        stop.cancel();
        assert_eq!(stream.count().await, 0);
    }
}
