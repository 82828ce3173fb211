//! Seeded random numbers. The n-th request of an engine with a given seed always gets the same ones, independent of others.

/// The purpose of a random number; each has a sequence of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Length = 1,
    Jitter = 2,
    Fault = 3,
    Word = 4,
    ChunkSize = 5,
    Accept = 6,
}

/// A pseudo-random `u64` from the seed, the request's serial number, the purpose and an index.
pub fn draw(seed: u64, serial: u64, purpose: Purpose, index: u64) -> u64 {
    let mut x = mix(seed ^ (purpose as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
    x = mix(x ^ serial);
    mix(x ^ index)
}

/// A pseudo-random number in `[0, 1)`.
pub fn fraction(seed: u64, serial: u64, purpose: Purpose, index: u64) -> f64 {
    (draw(seed, serial, purpose, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The finalizer of SplitMix64 with its increment.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_fixed_by_the_seed_and_spread_evenly() {
        assert_eq!(draw(1, 2, Purpose::Jitter, 3), draw(1, 2, Purpose::Jitter, 3));
        assert_ne!(draw(1, 2, Purpose::Jitter, 3), draw(2, 2, Purpose::Jitter, 3));
        assert_ne!(draw(1, 2, Purpose::Jitter, 3), draw(1, 2, Purpose::Length, 3));
        let mean = (0..10_000).map(|serial| fraction(7, serial, Purpose::Fault, 0)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
