//! Streamed answers: what each step writes.

use super::{AfterTurn, Job, JobAction, NEVER};
use crate::{
    ask::Api,
    config::{Dialect, FinishPosition, Framing, RolePosition, UsagePlace},
    events::{self, UsageCounts},
    faults::Fault,
    shared::EngineState,
    truth::TruthKind,
    wire::Io,
};

/// Size of the text of a `huge` event.
pub(super) const HUGE: usize = 1_000_000;

impl Job {
    pub(super) fn stream_step(&mut self, shared: &mut EngineState, now: u64, out: &mut Vec<u8>) -> JobAction {
        let event = self.next_event;
        let due = self.due_ns;
        self.stream_head(shared, due, out);
        let struck = self.strikes(event);
        if let Some(fault) = struck
            && let Some(step) = self.stream_fault(shared, fault, out)
        {
            return step;
        }
        let shape = &shared.config.shape;
        let (chat, role) = (self.ask.api == Api::Chat, shape.role);
        if chat && !self.role_sent && role == RolePosition::Late {
            self.role(shared, due, out);
        }
        if event >= self.plan.events {
            self.tail(shared, true, out);
            return JobAction::Write;
        }
        let shape = &shared.config.shape;
        if shape.empty_every > 0 && (event + 1).is_multiple_of(shape.empty_every) {
            let empty: &[u8] = if chat { b"\"content\":\"\"" } else { b"\"text\":\"\"" };
            self.event(shared, TruthKind::Empty, due, out, |job, json| job.chunks.write(json, empty, None, None));
        }
        let last = event + 1 == self.plan.events;
        let finishes = last && (!chat || shared.config.shape.finish == FinishPosition::WithLast);
        let tokens = self.plan.len(event);
        if struck == Some(Fault::Malformed) {
            self.event(shared, TruthKind::Fault, due, out, |job, json| {
                job.content(event, false, 0, None, None, json);
                json.truncate(json.len() * 2 / 3);
            });
        } else {
            let padding = if struck == Some(Fault::Huge) { HUGE } else { 0 };
            let names_role = chat && (role == RolePosition::Every || role == RolePosition::WithFirst && event == 0);
            let finish = finishes.then_some(self.plan.finish);
            let in_finish = finishes && self.ask.include_usage && shared.config.shape.usage == UsagePlace::InFinish;
            let usage = in_finish.then(|| self.usage(shared, tokens));
            self.event(shared, TruthKind::Content, due, out, |job, json| {
                job.content(event, names_role, padding, finish, usage.as_ref(), json);
            });
            if let Some(noted) = self.truth.last_mut() {
                noted.tokens = tokens;
            }
        }
        self.made(shared, now, tokens);
        if !last {
            self.plan_next(shared);
            if event == 0 || self.held_events + 1 >= shared.config.wire.events_per_write {
                return JobAction::Write;
            }
            self.held_events += 1;
            return JobAction::Hold;
        }
        if finishes {
            self.tail(shared, false, out);
        } else if self.plan.finish == "length" {
            self.tail(shared, true, out);
        } else {
            // The end-of-text token takes a step of its own.
            self.next_event += 1;
            self.due_ns = self.due_after(shared, 1);
        }
        JobAction::Write
    }

    /// What a fault does instead of the next event; none if the event is written after all.
    fn stream_fault(&mut self, shared: &mut EngineState, fault: Fault, out: &mut Vec<u8>) -> Option<JobAction> {
        match fault {
            Fault::Stall(time) => {
                self.due_ns += time.as_nanos() as u64;
                return Some(if out.is_empty() { JobAction::Nothing } else { JobAction::Write });
            }
            Fault::ResetMid => self.ended = Some(AfterTurn::Reset),
            Fault::Cut => self.ended = Some(AfterTurn::Close),
            Fault::EndEarly => {
                self.framer.end(out);
                self.ended = Some(self.last_turn());
            }
            Fault::ErrorInStream => {
                let due = self.due_ns;
                let error = events::error(shared.config.shape.dialect, 500, "internal_error", "simulated fault in the stream");
                self.event(shared, TruthKind::Fault, due, out, |_, json| json.extend_from_slice(error.as_bytes()));
                self.done(shared, out);
            }
            _ => return None,
        }
        Some(JobAction::Write)
    }

    fn content(
        &self,
        event: u32,
        role: bool,
        padding: usize,
        finish: Option<&str>,
        usage: Option<&UsageCounts>,
        json: &mut Vec<u8>,
    ) {
        self.chunks.write_with(json, finish, usage, |json| {
            if role {
                json.extend_from_slice(b"\"role\":\"assistant\",");
            }
            self.plan.delta(event, padding, json);
        });
    }

    /// Everything after the content.
    fn tail(&mut self, shared: &mut EngineState, with_finish: bool, out: &mut Vec<u8>) {
        let due = self.due_ns;
        let shape = &shared.config.shape;
        let usage = self.ask.include_usage.then(|| self.usage(shared, 0));
        let place = shape.usage;
        if with_finish {
            let finish = self.plan.finish;
            let delta: &[u8] = match (self.ask.api, shape.dialect) {
                (Api::Chat, Dialect::Vllm | Dialect::Tgi) => b"\"content\":\"\"",
                (Api::Chat, _) => b"",
                _ => b"\"text\":\"\"",
            };
            let usage = usage.filter(|_| place == UsagePlace::InFinish);
            self.event(shared, TruthKind::Finish, due, out, |job, json| {
                job.chunks.write(json, delta, Some(finish), usage.as_ref());
            });
        }
        if let Some(usage) = usage
            && place == UsagePlace::Own
        {
            self.event(shared, TruthKind::Usage, due, out, |job, json| job.chunks.write_usage(json, &usage));
        }
        self.complete = true;
        self.done(shared, out);
    }

    fn done(&mut self, shared: &mut EngineState, out: &mut Vec<u8>) {
        if shared.config.shape.done {
            let due = self.due_ns;
            self.event(shared, TruthKind::Done, due, out, |_, json| json.extend_from_slice(b"[DONE]"));
        }
        self.framer.end(out);
        self.ended = Some(self.last_turn());
    }

    pub(super) fn role(&mut self, shared: &mut EngineState, due: u64, out: &mut Vec<u8>) {
        self.role_sent = true;
        let delta = events::role_delta(shared.config.shape.role_content);
        self.event(shared, TruthKind::Role, due, out, |job, json| job.chunks.write(json, delta, None, None));
    }

    pub(super) fn ping(&mut self, io: &mut Io, shared: &mut EngineState) {
        let mut out = std::mem::take(&mut shared.out);
        out.clear();
        let due = self.ping_ns;
        self.stream_head(shared, due, &mut out);
        shared.event.clear();
        events::as_ping(&shared.config.shape, &mut shared.event);
        self.framer.frame(&shared.event, &mut out);
        self.note(shared, TruthKind::Ping, due);
        self.write(io, &out);
        shared.out = out;
        let every = shared.config.shape.ping_every.map_or(NEVER, |every| every.as_nanos() as u64);
        self.ping_ns = due.saturating_add(every);
    }

    /// Appends one event in its form and coding.
    fn event(
        &mut self,
        shared: &mut EngineState,
        kind: TruthKind,
        due: u64,
        out: &mut Vec<u8>,
        write: impl FnOnce(&Self, &mut Vec<u8>),
    ) {
        shared.event.clear();
        if shared.config.shape.multi_line || kind == TruthKind::Fault {
            shared.json.clear();
            write(self, &mut shared.json);
            events::as_event(&shared.config.shape, &shared.json, &mut shared.event);
        } else {
            // written in its place: it has only to be framed
            events::begin_event(&shared.config.shape, &mut shared.event);
            write(self, &mut shared.event);
            events::end_event(&shared.config.shape, &mut shared.event);
        }
        self.framer.frame(&shared.event, out);
        self.note(shared, kind, due);
    }

    pub(super) fn stream_head(&mut self, shared: &EngineState, due: u64, out: &mut Vec<u8>) {
        if self.head_sent {
            return;
        }
        self.head_sent = true;
        let until_close = shared.config.wire.framing == Framing::UntilClose;
        self.origin.close |= until_close;
        self.head(200, "text/event-stream; charset=utf-8", None, !until_close, out);
        self.note(shared, TruthKind::Head, due);
    }
}
