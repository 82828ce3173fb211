//! Incremental parsers for the bytes of an answer, in whatever pieces they come: HTTP/1.1, server-sent events, chunks of a
//! completion. They do no I/O, read no clock, and allocate nothing per event once their buffers have grown.

pub mod chunk;
pub mod http;
pub mod inflate;
pub mod json;
pub mod repeat;
pub mod sse;
mod usage;
mod words;
