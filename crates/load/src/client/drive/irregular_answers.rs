//! Answers that count as successes though something about them is irregular, which the report says.

use crate::client::exchange::Exchange;

/// How many answers were irregular in which way.
#[derive(Debug, Clone, Copy, Default)]
pub struct IrregularAnswers {
    /// They came in one piece though a stream was asked for.
    whole: u64,
    /// Their text held bytes that are no UTF-8.
    broken_text: u64,
    /// Their events contradict the engine's own count tenfold.
    pub doubted: u64,
}

impl IrregularAnswers {
    /// Counts one that has ended.
    pub(super) fn count(&mut self, exchange: &Exchange, embeddings: bool) {
        if exchange.failure.is_some() {
            return;
        }
        self.whole += u64::from(!exchange.row.streamed && !embeddings);
        self.broken_text += u64::from(exchange.broken_text);
        self.doubted += u64::from(exchange.row.doubted);
    }

    /// The same in words.
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
