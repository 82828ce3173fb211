//! The truth log: when each event was really written.
//!
//! One JSON object a line and request, with parallel arrays, one entry for each event:
//! `kinds` (`h` head, `r` role, `e` empty delta, `c` content, `f` finish, `u` usage, `d` `[DONE]`, `p` ping, `x` a
//! fault's event, `a` a whole answer), `tokens` (in the event), `due_mono_ns`, `mono_ns` (`CLOCK_MONOTONIC`), `unix_ns`
//! (`CLOCK_REALTIME`). `received_*_ns` is the kernel's own time of the request's last byte, however late the engine read
//! it. An event's stamps are taken immediately before the `write` call that carries the event's last byte, so
//! events of one write share their stamps. A content event with the finish reason in it is a `c`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use serde::Serialize;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TruthKind {
    Head = b'h',
    Role = b'r',
    Empty = b'e',
    Content = b'c',
    Finish = b'f',
    Usage = b'u',
    Done = b'd',
    Ping = b'p',
    Fault = b'x',
    Answer = b'a',
}

/// One event and its true times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TruthEvent {
    pub kind: TruthKind,
    pub tokens: u32,
    pub due_mono_ns: u64,
    pub mono_ns: u64,
    pub unix_ns: u64,
}

/// One request and its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthRecord {
    pub request_id: Option<String>,
    /// Counts the engine's requests from 0.
    pub serial: u64,
    /// Counts the engine's connections from 0.
    pub connection: u64,
    pub path: String,
    /// When the kernel received the last of the request; right after the `read` where it does not say.
    pub received_mono_ns: u64,
    pub received_unix_ns: u64,
    /// When it left the queue; 0 if it never did.
    pub admitted_mono_ns: u64,
    pub prompt_tokens: u32,
    pub cached_tokens: u32,
    /// Produced, hidden ones included.
    pub output_tokens: u32,
    /// `stop`, `length`, `abort` (the client went away) or `error` (a fault ended it).
    pub ending: &'static str,
    pub fault: Option<String>,
    pub events: Vec<TruthEvent>,
}

impl TruthRecord {
    /// The content events: all that count for a latency.
    pub fn content(&self) -> impl Iterator<Item = &TruthEvent> {
        self.events.iter().filter(|event| event.kind == TruthKind::Content)
    }
}

#[derive(Serialize)]
struct TruthLine<'a> {
    simulated: bool,
    request_id: Option<&'a str>,
    serial: u64,
    connection: u64,
    path: &'a str,
    received_mono_ns: u64,
    received_unix_ns: u64,
    admitted_mono_ns: Option<u64>,
    prompt_tokens: u32,
    cached_tokens: u32,
    output_tokens: u32,
    ending: &'a str,
    fault: Option<&'a str>,
    kinds: String,
    tokens: Vec<u32>,
    due_mono_ns: Vec<u64>,
    mono_ns: Vec<u64>,
    unix_ns: Vec<u64>,
}

/// The line of a record, without its line end.
pub fn to_line(record: &TruthRecord) -> serde_json::Result<String> {
    let column = |pick: fn(&TruthEvent) -> u64| record.events.iter().map(pick).collect::<Vec<u64>>();
    serde_json::to_string(&TruthLine {
        simulated: true,
        request_id: record.request_id.as_deref(),
        serial: record.serial,
        connection: record.connection,
        path: &record.path,
        received_mono_ns: record.received_mono_ns,
        received_unix_ns: record.received_unix_ns,
        admitted_mono_ns: (record.admitted_mono_ns > 0).then_some(record.admitted_mono_ns),
        prompt_tokens: record.prompt_tokens,
        cached_tokens: record.cached_tokens,
        output_tokens: record.output_tokens,
        ending: record.ending,
        fault: record.fault.as_deref(),
        kinds: record.events.iter().map(|event| char::from(event.kind as u8)).collect(),
        tokens: record.events.iter().map(|event| event.tokens).collect(),
        due_mono_ns: column(|event| event.due_mono_ns),
        mono_ns: column(|event| event.mono_ns),
        unix_ns: column(|event| event.unix_ns),
    })
}

/// Events that are held back from the writer while requests run, so that it does not take the engine's core then.
const HELD_EVENTS: usize = 8_000_000;

/// The thread that writes, and the way to it.
pub struct Writer {
    records: Sender<Vec<TruthRecord>>,
    thread: JoinHandle<io::Result<()>>,
}

/// Takes the records of ended requests.
pub enum TruthLog {
    None,
    Memory(Vec<TruthRecord>),
    File { held: Vec<TruthRecord>, held_events: usize, writer: Option<Writer> },
}

impl TruthLog {
    /// A log that a thread of its own writes to `path`.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(256 * 1024, File::create(path)?);
        let (sender, receiver): (Sender<Vec<TruthRecord>>, Receiver<Vec<TruthRecord>>) = channel();
        let thread = std::thread::Builder::new().name("truth-log".to_owned()).spawn(move || {
            for records in receiver {
                for record in records {
                    writeln!(file, "{}", to_line(&record)?)?;
                }
                file.flush()?;
            }
            file.flush()
        })?;
        Ok(Self::File { held: Vec::new(), held_events: 0, writer: Some(Writer { records: sender, thread }) })
    }

    pub fn is_on(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Takes a record; `busy` while other requests run.
    pub fn take(&mut self, record: TruthRecord, busy: bool) {
        match self {
            Self::None => {}
            Self::Memory(records) => records.push(record),
            Self::File { held, held_events, writer } => {
                *held_events += record.events.len();
                held.push(record);
                if !busy || *held_events > HELD_EVENTS {
                    *held_events = 0;
                    hand_over(held, writer);
                }
            }
        }
    }

    /// Ends the log: what is in memory, or the outcome of the writing.
    pub fn finish(&mut self) -> io::Result<Vec<TruthRecord>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Memory(records) => Ok(std::mem::take(records)),
            Self::File { held, writer, .. } => {
                hand_over(held, writer);
                let Some(Writer { records, thread }) = writer.take() else { return Ok(Vec::new()) };
                drop(records);
                thread.join().map_err(|_| io::Error::other("truth log writer panicked"))??;
                Ok(Vec::new())
            }
        }
    }
}

fn hand_over(held: &mut Vec<TruthRecord>, writer: &mut Option<Writer>) {
    if let Some(writer) = writer {
        // A writer that failed says so when the log ends.
        let _ = writer.records.send(std::mem::take(held));
    }
}
