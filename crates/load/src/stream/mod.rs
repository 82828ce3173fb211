//! From bytes to meaning, whatever the cut: HTTP/1.1 answers, server-sent events, chunks of a completion. Nothing here
//! does I/O or asks the clock, and nothing allocates per event once its buffers have grown.

pub mod chunk;
pub mod http;
pub mod inflate;
pub mod json;
pub mod repeat;
pub mod sse;
mod usage;
mod words;
