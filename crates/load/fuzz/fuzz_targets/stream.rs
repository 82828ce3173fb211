//! Any bytes, as an answer, as events, as a chunk, as a compressed body.
#![no_main]

mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // where it is cut depends on the bytes alone, so that a finding can be repeated
    let cuts: Vec<usize> = bytes.iter().step_by(7).scan(0, |at, byte| {
        *at += usize::from(*byte);
        Some(*at)
    }).collect();
    invariants::check(bytes, &cuts);
});
