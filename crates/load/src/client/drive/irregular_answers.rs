//! Counts answers that succeeded but were irregular; the report's notes name them.

use crate::client::exchange::Exchange;

/// How many answers were irregular in which way.
#[derive(Debug, Clone, Copy, Default)]
pub struct IrregularAnswers {
    /// Came in one piece though a stream was asked for.
    whole: u64,
    /// Held bytes that are not UTF-8.
    broken_text: u64,
    /// Their number of content events contradicts the engine's own token count by a factor of ten or more.
    pub doubted: u64,
}

impl IrregularAnswers {
    /// Counts a request that has ended.
    pub(super) fn count(&mut self, exchange: &Exchange, embeddings: bool) {
        if exchange.failure.is_some() {
            return;
        }
        self.whole += u64::from(!exchange.row.streamed && !embeddings);
        self.broken_text += u64::from(exchange.broken_text);
        self.doubted += u64::from(exchange.row.doubted);
    }

    /// The sentences for the report.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.whole > 0 {
            notes.push(format!(
                "{} came in one piece though a stream was asked for, and so without TTFT, TPOT and ITL.",
                answers(self.whole)
            ));
        }
        if self.broken_text > 0 {
            notes.push(format!("{} held bytes that are no UTF-8.", answers(self.broken_text)));
        }
        if self.doubted > 0 {
            notes.push(format!(
                "The server's own output counts (usage) are contradicted tenfold by the events of {}: where there is a tokenizer it counted these, elsewhere the counts stand as the server gave them.",
                answers(self.doubted)
            ));
        }
        notes
    }
}

fn answers(number: u64) -> String {
    dyno_measure::words::count(number, "answer")
}
