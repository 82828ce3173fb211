//! What all connections of an engine share.

use std::collections::{HashSet, VecDeque};

use super::{clock::unix_ns, config::EngineOptions, metrics::Metrics, truth::TruthLog};

/// State of one engine apart from its connections.
pub struct EngineState {
    pub config: EngineOptions,
    pub metrics: Metrics,
    pub truth: TruthLog,
    pub prefixes: Prefixes,
    pub started_unix_ns: u64,
    pub started_mono_ns: u64,
    /// Buffers that are used again, so that an event needs no allocation.
    pub json: Vec<u8>,
    pub event: Vec<u8>,
    pub out: Vec<u8>,
}

impl EngineState {
    pub fn new(config: EngineOptions, truth: TruthLog) -> Self {
        let prefixes = Prefixes { known: HashSet::new(), order: VecDeque::new(), most: (config.kv_cache_tokens / 16) as usize };
        Self {
            config,
            metrics: Metrics::default(),
            truth,
            prefixes,
            started_unix_ns: unix_ns(),
            started_mono_ns: super::clock::monotonic_ns(),
            json: Vec::new(),
            event: Vec::new(),
            out: Vec::new(),
        }
    }
}

/// Prompt blocks that the prefix cache holds; the oldest go first.
pub struct Prefixes {
    known: HashSet<u64>,
    order: VecDeque<u64>,
    most: usize,
}

impl Prefixes {
    /// Number of leading blocks that are known; all of them are known afterwards.
    pub fn look_up(&mut self, blocks: &[u64]) -> u32 {
        let hits = blocks.iter().take_while(|block| self.known.contains(block)).count();
        for block in &blocks[hits..] {
            if self.known.insert(*block) {
                self.order.push_back(*block);
            }
        }
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        hits as u32
    }
}
