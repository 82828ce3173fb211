//! Feeds any bytes to the parsers: as a response, as events, as a chunk, as a compressed body.
#![no_main]

mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // the cuts are derived from the bytes, so that a finding can be reproduced
    let cuts: Vec<usize> = bytes.iter().step_by(7).scan(0, |at, byte| {
        *at += usize::from(*byte);
        Some(*at)
    }).collect();
    invariants::check(bytes, &cuts);
});
