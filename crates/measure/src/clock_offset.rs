//! The offset between two clocks, from exchanges of messages, as NTP finds it (RFC 5905, section 8). Pure.

use serde::{Deserialize, Serialize};

/// One exchange: four readings, the first and last on the asking side's clock, the others on the answering side's; ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockExchange {
    pub asked: i64,
    pub received: i64,
    pub answered: i64,
    pub returned: i64,
}

/// How far a clock is ahead of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// The answering clock less the asking one, ns.
    pub offset_ns: i64,
    /// The true offset is within this of it, ns: half of the time that the messages were under way.
    pub uncertainty_ns: i64,
}

impl From<ClockExchange> for ClockOffset {
    fn from(exchange: ClockExchange) -> Self {
        let ClockExchange { asked, received, answered, returned } = exchange;
        let under_way = (returned - asked) - (answered - received);
        Self {
            offset_ns: i64::midpoint(received - asked, answered - returned),
            // rounded up, since the offset was rounded as well
            uncertainty_ns: under_way.max(0) / 2 + 1,
        }
    }
}

impl ClockOffset {
    /// Of several exchanges, the one whose messages were under way for the least time; `None` of none.
    pub fn best(exchanges: impl IntoIterator<Item = ClockExchange>) -> Option<Self> {
        exchanges.into_iter().map(Self::from).min_by_key(|offset| offset.uncertainty_ns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_true_offset_is_within_the_uncertainty(
            truth in -1_000_000_000_000_i64..1_000_000_000_000,
            asked in 0_i64..1_000_000_000_000,
            there in 0_i64..50_000_000, thinking in 0_i64..50_000_000, back in 0_i64..50_000_000,
        ) {
            let received = asked + there + truth;
            let answered = received + thinking;
            let exchange = ClockExchange { asked, received, answered, returned: answered + back - truth };
            let found = ClockOffset::from(exchange);
            prop_assert!((found.offset_ns - truth).abs() <= found.uncertainty_ns);
            prop_assert!(found.uncertainty_ns <= i64::midpoint(there, back) + 1);
        }
    }

    #[test]
    fn the_quickest_exchange_counts() {
        let slow = ClockExchange { asked: 0, received: 900, answered: 900, returned: 1_000 };
        let quick = ClockExchange { asked: 0, received: 510, answered: 510, returned: 20 };
        assert_eq!(ClockOffset::best([slow, quick]), Some(ClockOffset { offset_ns: 500, uncertainty_ns: 11 }));
        assert_eq!(ClockOffset::best([]), None);
    }
}
