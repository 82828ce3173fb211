//! From the bytes of a connection to its job or its small answer.

use super::Server;
use crate::{
    answers::{self, Small},
    ask::{self, Api},
    config::Dialect,
    faults::{self, Fault},
    http::{HttpRequest, ParsedRequest, parse},
    job::{Job, NEVER, RequestOrigin},
    wire::{AnswerHead, Sent, write_head},
};

impl Server {
    /// Starts on the requests that are wholly there, one at a time.
    pub(super) fn take_requests(&mut self, slot: u32) {
        loop {
            let Some(connection) = self.slots[slot as usize].as_deref_mut() else { return };
            if connection.job.is_some() || connection.closing || connection.input.len() < connection.need {
                return;
            }
            let received = connection.arrived;
            let mut input = std::mem::take(&mut connection.input);
            let consumed = match parse(&input) {
                ParsedRequest::Partial { need, expects_continue } => {
                    connection.need = need;
                    if expects_continue && !connection.continued {
                        connection.continued = true;
                        connection.io.send(b"HTTP/1.1 100 Continue\r\n\r\n", || ());
                    }
                    connection.input = input;
                    return;
                }
                ParsedRequest::Bad { status, message } => {
                    let small = Small::error(self.shared.config.shape.dialect, status, message);
                    self.respond(slot, &small, None, true, None);
                    return;
                }
                ParsedRequest::Whole { request, consumed } => {
                    connection.need = 1;
                    connection.continued = false;
                    connection.wake_ns = NEVER;
                    self.start(slot, &request, received);
                    consumed
                }
            };
            let Some(connection) = self.slots[slot as usize].as_deref_mut() else { return };
            input.drain(..consumed);
            if input.is_empty() && input.capacity() > 16 * 1024 {
                input = Vec::new();
            }
            connection.input = input;
        }
    }

    fn start(&mut self, slot: u32, request: &HttpRequest<'_>, (received_mono_ns, received_unix_ns): (u64, u64)) {
        let config = &self.shared.config;
        let dialect = config.shape.dialect;
        let close = !request.keep_alive;
        let authorized = config.api_key.as_ref().is_none_or(|key| {
            request.authorization.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| given == key)
        });
        let path = request.path.strip_prefix("/v1").unwrap_or(request.path);
        if !authorized && !matches!(path, "/health" | "/metrics") {
            return self.respond(
                slot,
                &Small::error(dialect, 401, "the api key is missing or wrong"),
                request.request_id,
                close,
                None,
            );
        }
        let api = match (request.method, path) {
            ("POST", "/chat/completions") => Api::Chat,
            ("POST", "/completions") => Api::Completions,
            ("POST", "/embeddings") => Api::Embeddings,
            _ => {
                let small = answers::answer(&self.shared, request);
                return self.respond(slot, &small, request.request_id, close, None);
            }
        };
        let serial = self.requests;
        self.requests += 1;
        let mut failure = None;
        let asked = ask::read(api, &request.body, request.fault, config.prefix_cache);
        let asked = asked.map_err(|error| (400, error.to_string())).and_then(|ask| {
            let strict = matches!(dialect, Dialect::Vllm | Dialect::OpenAi);
            match &ask.model {
                Some(model) if strict && *model != config.model => Err((404, format!("the model `{model}` does not exist"))),
                _ => Ok(ask),
            }
        });
        let job = asked.and_then(|ask| {
            let fault = ask.fault.or_else(|| faults::for_request(&config.faults, config.seed, serial));
            if let Some(Fault::Refuse | Fault::Reset | Fault::Close | Fault::Garbage | Fault::Status { .. }) = fault {
                failure = fault;
            }
            let Some(connection) = self.slots[slot as usize].as_deref() else { return Err((500, String::new())) };
            let keep = &config.keep_alive;
            let last = keep.max_requests.is_some_and(|max| connection.answers + 1 >= max);
            let left = keep.max_requests.map_or(1_000_000, |max| max - connection.answers.min(max) - u32::from(!last));
            let origin = RequestOrigin {
                serial,
                connection: connection.serial,
                path: request.path.to_owned(),
                request_id: request.request_id.map(str::to_owned),
                received_mono_ns,
                received_unix_ns,
                close: close || last,
                announce_close: close || (last && !keep.unannounced),
                accepts_gzip: request.accepts_gzip,
                keep_alive: (keep.max_requests.is_some() || keep.idle.is_some())
                    .then(|| (keep.idle.map_or(3600, |idle| idle.as_secs()), left)),
            };
            Job::new(&self.shared, ask, fault, origin).map_err(|error| (400, error.to_string()))
        });
        match (job, failure) {
            (Err((status, message)), _) => {
                self.respond(slot, &Small::error(dialect, status, &message), request.request_id, close, None);
            }
            (Ok(mut job), Some(fault)) => {
                job.strike_at_once();
                job.release(&mut self.shared);
                self.fail(slot, fault, request.request_id, close);
            }
            (Ok(job), None) => self.enqueue(slot, job),
        }
    }

    fn enqueue(&mut self, slot: u32, job: Job) {
        let Some(connection) = self.slots[slot as usize].as_deref_mut() else { return };
        let job = connection.job.insert(Box::new(job));
        job.begin(&mut connection.io, &mut self.shared);
        if !job.hangs() {
            self.queue.push_back((slot, connection.generation));
            self.shared.metrics.waiting += 1;
        }
        self.admit(None);
        self.turn(slot);
    }

    /// Carries out a fault that needs no tokens.
    fn fail(&mut self, slot: u32, fault: Fault, request_id: Option<&str>, close: bool) {
        match fault {
            Fault::Status { code, retry_after_s } => {
                let small = Small::error(self.shared.config.shape.dialect, code, "simulated fault");
                self.respond(slot, &small, request_id, close, retry_after_s);
            }
            Fault::Garbage => {
                if let Some(connection) = self.slots[slot as usize].as_deref_mut() {
                    connection.io.send(b"\x15\x03\x03 this is no http\r\n\r\n", || ());
                }
                self.drop_connection(slot, false);
            }
            fault => self.drop_connection(slot, fault != Fault::Close),
        }
    }

    fn respond(&mut self, slot: u32, small: &Small, request_id: Option<&str>, close: bool, retry_after_s: Option<u32>) {
        let Some(connection) = self.slots[slot as usize].as_deref_mut() else { return };
        connection.answers += 1;
        let keep = &self.shared.config.keep_alive;
        let last = keep.max_requests.is_some_and(|max| connection.answers >= max);
        let head = AnswerHead {
            status: small.status,
            content_type: small.content_type,
            length: Some(small.body.len()),
            chunked: false,
            gzip: false,
            close: close || (last && !keep.unannounced),
            retry_after_s,
            request_id,
            keep_alive: None,
        };
        let mut out = std::mem::take(&mut self.shared.out);
        out.clear();
        write_head(&head, &mut out);
        out.extend_from_slice(small.body.as_bytes());
        let sent = connection.io.send(&out, || ());
        self.shared.out = out;
        connection.closing = close || last;
        if sent == Sent::Gone || (connection.closing && sent == Sent::All) {
            self.drop_connection(slot, false);
        } else {
            self.wake_when_idle(slot);
        }
    }
}
