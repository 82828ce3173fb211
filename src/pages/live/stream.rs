//! The browser's side of a run's events: one `EventSource`, from the last event that the page already has. Bursts are
//! gathered and drawn together.

use leptos::prelude::*;
use std::time::Duration;
use uuid::Uuid;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventSource, MessageEvent};

use super::Channel;
use crate::api::functions::runs::queue_position;
use crate::components::badge::{run_look, stage_look};
use crate::components::failure::is_signed_out;
use crate::domain::event::{Progress, RunEvent};
use crate::domain::live::{Change, read_event};
use crate::domain::run::RunStatus;

/// How long events are gathered before they are drawn.
const GATHER: Duration = Duration::from_millis(250);
/// How long to wait before a stream that was refused is asked for again.
const RETRY: Duration = Duration::from_secs(3);
/// How often a waiting run's place in the queue is asked for.
const QUEUE: Duration = Duration::from_secs(5);
/// Quarters are read out no closer than this, milliseconds.
const QUIET_MS: f64 = 30_000.0;

/// Follows a run until its end, or until the page is left.
pub fn follow(id: Uuid, channel: Channel) {
    // After hydration, which must see what the server saw.
    Effect::new(move |_| {
        if channel.live.with_untracked(|live| live.run.status.is_end()) {
            return;
        }
        let follower = Follower {
            id,
            channel,
            open: StoredValue::new_local(None),
            gathered: StoredValue::new_local(Vec::new()),
            quarters: StoredValue::new_local(0),
            said_at: StoredValue::new_local(0.0),
            left: StoredValue::new_local(false),
        };
        follower.connect();
        let asks = set_interval_with_handle(move || follower.ask_queue(), QUEUE);
        on_cleanup(move || {
            follower.left.try_set_value(true);
            follower.close();
            if let Ok(asks) = asks {
                asks.clear();
            }
        });
    });
}

/// An open stream, with what listens to it.
struct Open {
    source: EventSource,
    _on_event: Closure<dyn FnMut(MessageEvent)>,
    _on_connected: Closure<dyn FnMut(Event)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

#[derive(Clone, Copy)]
struct Follower {
    id: Uuid,
    channel: Channel,
    open: StoredValue<Option<Open>, LocalStorage>,
    gathered: StoredValue<Vec<(i64, RunEvent)>, LocalStorage>,
    quarters: StoredValue<u8, LocalStorage>,
    said_at: StoredValue<f64, LocalStorage>,
    left: StoredValue<bool, LocalStorage>,
}

impl Follower {
    fn connect(self) {
        let after = self.channel.live.with_untracked(|live| live.last_seq);
        let Ok(source) = EventSource::new(&format!("/api/v1/runs/{}/events?after={after}", self.id)) else {
            self.retry();
            return;
        };
        let on_event = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| self.receive(&event));
        for name in ["stage", "progress", "log", "end"] {
            // A listener is refused only for a name that is no string.
            let _ = source.add_event_listener_with_callback(name, on_event.as_ref().unchecked_ref());
        }
        let on_open = Closure::<dyn FnMut(Event)>::new(move |_: Event| {
            self.channel.lost.set(None);
            self.channel.signed_out.set(false);
        });
        source.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        let on_error = Closure::<dyn FnMut(Event)>::new(move |_: Event| self.lost());
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        self.open.set_value(Some(Open { source, _on_event: on_event, _on_connected: on_open, _on_error: on_error }));
    }

    fn close(self) {
        self.open.try_update_value(|open| {
            if let Some(open) = open {
                open.source.close();
            }
        });
    }

    fn retry(self) {
        set_timeout(
            move || {
                if self.left.try_get_value() == Some(false) {
                    self.close();
                    self.connect();
                }
            },
            RETRY,
        );
    }

    /// The browser itself tries again while the stream was cut; a stream that was refused has to be opened anew.
    fn lost(self) {
        let refused =
            self.open.with_value(|open| open.as_ref().is_some_and(|open| open.source.ready_state() == EventSource::CLOSED));
        if self.channel.lost.with_untracked(Option::is_none) && !self.channel.signed_out.get_untracked() {
            let now = js_sys::Date::new_0().to_iso_string();
            let clock: String = now.as_string().unwrap_or_default().chars().skip(11).take(8).collect();
            self.channel.lost.set(Some(format!("{clock} UTC")));
        }
        if refused {
            self.ask_why();
            self.retry();
        }
    }

    /// The browser does not say why a stream was refused. Where the session is over, the reader is told, and shown the way.
    fn ask_why(self) {
        leptos::task::spawn_local(async move {
            let over = is_signed_out(&queue_position(self.id).await);
            // The page may have been left meanwhile.
            if self.left.try_get_value() == Some(false) && over {
                self.channel.signed_out.set(true);
                self.channel.lost.set(None);
            }
        });
    }

    fn receive(self, event: &MessageEvent) {
        let data = event.data().as_string().unwrap_or_default();
        let (Some(told), Ok(seq)) = (read_event(&event.type_(), &data), event.last_event_id().parse::<i64>()) else {
            return;
        };
        let first = self.gathered.try_update_value(|gathered| {
            gathered.push((seq, told));
            gathered.len() == 1
        });
        if first == Some(true) {
            set_timeout(move || self.draw(), GATHER);
        }
    }

    fn draw(self) {
        let Some(gathered) = self.gathered.try_update_value(std::mem::take) else { return };
        let changes: Vec<Change> = self
            .channel
            .live
            .try_update(|live| gathered.into_iter().map(|(seq, event)| live.apply(seq, event)).collect())
            .unwrap_or_default();
        for change in changes {
            match change {
                Change::Stage(stage) => self.say(format!("{}: {}", stage.title, stage_look(stage.status).1.to_lowercase())),
                Change::Progress => self.say_quarter(),
                Change::End(status) => {
                    self.say(format!("The run has ended: {}.", run_look(status).1.to_lowercase()));
                    self.channel.lost.set(None);
                    self.left.set_value(true);
                    self.close();
                }
                Change::Log(_) | Change::Nothing => {}
            }
        }
    }

    fn say(self, text: String) {
        self.said_at.set_value(js_sys::Date::now());
        self.channel.said.set(text);
    }

    fn say_quarter(self) {
        let quarters = self.channel.live.with_untracked(|live| live.progress.as_ref().map_or(0, Progress::quarters));
        let is_new = quarters > self.quarters.get_value() && quarters < 4;
        if is_new && js_sys::Date::now() - self.said_at.get_value() >= QUIET_MS {
            self.quarters.set_value(quarters);
            self.say(format!("{} % of the requests are done.", u32::from(quarters) * 25));
        }
    }

    fn ask_queue(self) {
        let waits = self.channel.live.try_with_untracked(|live| live.run.status == RunStatus::Queued);
        if waits != Some(true) {
            return;
        }
        leptos::task::spawn_local(async move {
            if let Ok(position) = queue_position(self.id).await {
                // The page may have been left meanwhile, or the run begun.
                self.channel.live.try_update(|live| {
                    if live.run.status == RunStatus::Queued {
                        live.run.queue_position = position;
                    }
                });
            }
        });
    }
}
