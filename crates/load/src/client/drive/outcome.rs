//! How requests and connections end, and what is recorded of them.

use std::io;

use super::{EventLoop, SECOND};
use crate::client::clock;
use crate::client::connection::ConnectionStage;
use crate::client::exchange::Exchange;
use crate::client::failure::Failure;
use crate::client::phase::RequestLimits;
use crate::client::refusal::ParameterRefusal;
use crate::workload::Requests;
use dyno_measure::records::{GapsBuf, Row};
use dyno_measure::report::{ErrorClass, TokenSource};

/// Changes the requests to what the server accepts. Returns whether the refused request should be sent again.
fn adapt(requests: &mut Requests, refusal: ParameterRefusal, refused: &Exchange) -> bool {
    match refusal {
        ParameterRefusal::UsageOption => {
            requests.leave_out_usage_option();
            refused.asked_for_usage
        }
        ParameterRefusal::OutputLimit => requests.use_other_limit(refused.sent_limit),
    }
}

impl EventLoop<'_> {
    /// The connection was closed or broke: reconnects, tries the request again, or ends it as failed.
    pub(super) fn lost(&mut self, place: usize, broken: Option<&io::Error>, at: i64) {
        let embeddings = self.requests.is_embeddings();
        let connection = &mut self.connections[place];
        if connection.stage == ConnectionStage::Idle {
            // closed between requests: not an error, it is opened again when needed
            if connection.served > 0 {
                self.health.reconnects += 1;
            }
            connection.close();
            return;
        }
        let reused = connection.served > 0;
        let answered = connection.answered();
        if let Some(exchange) = &mut connection.exchange
            && reused
            && !answered
            && !exchange.tried_again
        {
            exchange.tried_again = true;
            self.health.reconnects += 1;
            self.connect(place);
            return;
        }
        connection.on_end(broken, at, embeddings);
        connection.close();
        if !answered {
            self.did_not_answer(place);
        }
        self.finish(place, at);
    }

    /// Schedules a request that got status 429 to be sent again, if the plan allows another retry within its time; returns
    /// whether.
    fn waits_to_be_sent_again(&mut self, place: usize, at: i64) -> bool {
        let connection = &mut self.connections[place];
        let Some(exchange) = &mut connection.exchange else { return false };
        if exchange.row.status != Some(429) || exchange.row.retries >= self.limits.retries {
            return false;
        }
        let wait = (f64::from(exchange.row.retry_after_s.unwrap_or(1.0)) * 1e9) as i64;
        if wait > self.limits.total || self.limits.deadline.is_some_and(|deadline| at + wait >= deadline) {
            return false;
        }
        let mut again = Exchange::new(exchange.row.clone(), exchange.prompt, exchange.keeps_text);
        again.row.retries += 1;
        again.row.status = None;
        again.keeps_answer = exchange.keeps_answer;
        *exchange = again;
        if connection.reusable() {
            connection.stage = ConnectionStage::Idle;
            connection.served += 1;
        } else {
            connection.close();
        }
        self.retried += 1;
        self.refused.push((at + wait, place));
        true
    }

    /// Sends the requests again whose wait after status 429 is over.
    pub(super) fn send_refused(&mut self, now: i64) {
        while let Some(next) = self.refused.iter().position(|(due, _)| *due <= now) {
            let (_, place) = self.refused.swap_remove(next);
            match self.connections[place].stage {
                ConnectionStage::Idle => self.send(place),
                ConnectionStage::Closed => self.connect(place),
                ConnectionStage::Connecting | ConnectionStage::Busy => {}
            }
        }
    }

    /// Ends a request: records it and frees its lane, unless it is sent again.
    pub(super) fn finish(&mut self, place: usize, at: i64) {
        let connection = &mut self.connections[place];
        if let Some(exchange) = &connection.exchange
            && let Some(refusal) = connection.refusal()
            && adapt(self.requests, refusal, exchange)
        {
            // sent again without the field that the server refused
            let mut again = Exchange::new(exchange.row.clone(), exchange.prompt, exchange.keeps_text);
            again.row.status = None;
            again.keeps_answer = exchange.keeps_answer;
            connection.exchange = Some(again);
            if connection.reusable() {
                self.send(place);
            } else {
                self.connect(place);
            }
            return;
        }
        if self.waits_to_be_sent_again(place, at) {
            return;
        }
        let connection = &mut self.connections[place];
        let Some(exchange) = connection.exchange.take() else { return };
        self.usage_seen |= exchange.row.source == Some(TokenSource::Usage);
        self.irregular.count(&exchange, self.requests.is_embeddings());
        let closed_loop = exchange.row.scheduled.is_none();
        let mut row = exchange.row;
        row.ended = Some(at);
        row.error = exchange.failure.as_ref().map(|failure| failure.class);
        let row_was_answered = row.status.is_some();
        if connection.stage != ConnectionStage::Closed {
            if row.error.is_none_or(|class| class == ErrorClass::HttpStatus || class == ErrorClass::NoContent)
                && connection.reusable()
            {
                connection.stage = ConnectionStage::Idle;
                connection.served += 1;
                if !closed_loop {
                    self.idle[connection.target].push(place);
                }
            } else {
                connection.close();
            }
        }
        self.in_flight -= 1;
        self.progress.in_flight_is(self.in_flight, clock::now());
        self.compressed += u64::from(self.connections[place].was_compressed());
        if self.requests.needs_answers() {
            let answer = row.error.is_none().then(|| std::mem::take(&mut self.connections[place].kept().answer));
            self.requests.answered(place, answer.as_deref());
        }
        self.coalescing.ended();
        let text = (exchange.keeps_text && row.error.is_none()).then(|| std::mem::take(&mut self.connections[place].kept().text));
        let redactor = &self.targets[self.connections[place].target].redactor;
        let words = exchange.failure.map(|failure| redactor.redact(&failure.words));
        self.keep(row, Some(place), words);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.texts.insert(self.records.rows.len() - 1, text);
        }
        if closed_loop {
            self.lanes.push_back(place);
        } else if self.connections[place].stage == ConnectionStage::Closed && row_was_answered {
            // opened again for the next arrival
            self.connect(place);
        }
    }

    /// Appends a record, its times converted to Unix ns.
    pub(super) fn keep(&mut self, mut row: Row, place: Option<usize>, error: Option<String>) {
        let clock = &self.clock;
        for time in [&mut row.scheduled, &mut row.sent, &mut row.first, &mut row.first_output, &mut row.last, &mut row.ended] {
            *time = time.map(|at| clock.unix(at));
        }
        self.progress.ended(&row);
        if let Some(errors) = &mut self.errors {
            errors.count(&row);
        }
        if let Some(enough) = &mut self.early_stop {
            enough.count(&row);
        }
        let none = GapsBuf::default();
        let gaps = place.map_or(&none, |place| &self.connections[place].kept_ref().gaps);
        let index = self.records.push(row, gaps, error);
        if let Some(file) = &mut self.file
            && let Err(error) = file.append(&self.records.record(index), gaps)
        {
            self.file_error.get_or_insert(error);
        }
    }

    pub(super) fn flush_file(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.file_error.get_or_insert(error);
        }
    }

    /// Checks time-outs, emits progress and flushes the record file.
    pub(super) fn on_tick(&mut self, now: i64) {
        self.clock.read();
        self.coalescing.update(now, self.in_flight);
        let RequestLimits { stall, total, .. } = self.limits;
        for place in 0..self.connections.len() {
            let connection = &self.connections[place];
            if connection.stage == ConnectionStage::Connecting && now - connection.since > stall.min(total).min(30 * SECOND) {
                self.connect_failed(place, ErrorClass::Connect, "no connection within the time-out");
                continue;
            }
            let (Some(exchange), ConnectionStage::Busy) = (&connection.exchange, connection.stage) else { continue };
            let waited = now - exchange.last_activity;
            let in_all = now - exchange.row.sent.unwrap_or(now);
            let failure = if exchange.lingers_until.is_some_and(|until| now > until) {
                None
            } else if in_all > total {
                Some(Failure::new(ErrorClass::Timeout, format!("not over after {} s", total / SECOND)))
            } else if waited > stall {
                Some(Failure::new(ErrorClass::Stalled, format!("no event for {:.1} s", waited as f64 / 1e9)))
            } else {
                continue;
            };
            self.end_by_time(place, failure, now);
        }
        if self.progress.emit_if_due(now) {
            self.flush_file();
        }
    }

    pub(super) fn end_by_time(&mut self, place: usize, failure: Option<Failure>, now: i64) {
        let embeddings = self.requests.is_embeddings();
        let connection = &mut self.connections[place];
        if let (Some(exchange), Some(failure)) = (&mut connection.exchange, failure) {
            exchange.failure.get_or_insert(failure);
        }
        if connection.answered() {
            connection.conclude(now, embeddings);
        }
        connection.close();
        self.finish(place, now);
    }

    /// Closes the connections of requests in flight, which are counted as abandoned and not recorded.
    pub(super) fn abandon(&mut self) {
        for connection in &mut self.connections {
            if connection.exchange.take().is_some() {
                self.abandoned += 1;
                connection.close();
            }
        }
        self.refused.clear();
        self.in_flight = 0;
        self.progress.in_flight_is(0, clock::now());
    }
}
