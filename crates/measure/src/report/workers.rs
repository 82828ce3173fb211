//! What several workers say of one load, put together.

use super::{ClientHealth, Note};

impl ClientHealth {
    /// Of several workers: counts are added, of every other figure the worst counts.
    pub fn of_workers(workers: &[Self]) -> Self {
        let most = |of: fn(&Self) -> Option<f64>| workers.iter().filter_map(of).max_by(f64::total_cmp);
        let sum = |of: fn(&Self) -> Option<u64>| workers.iter().filter_map(of).reduce(|sum, count| sum + count);
        let timestamps = workers.iter().map(|worker| worker.timestamps.as_str());
        Self {
            cpu_share: most(|worker| worker.cpu_share),
            cpu_wait_share: most(|worker| worker.cpu_wait_share),
            timestamps: timestamps.max_by_key(|stamps| *stamps == "user").unwrap_or_default().to_owned(),
            clock_jump_ms: most(|worker| worker.clock_jump_ms),
            coalesced_events: sum(|worker| worker.coalesced_events),
            content_events: sum(|worker| worker.content_events),
            littles_law_ratio: None,
            max_rss_bytes: workers.iter().filter_map(|worker| worker.max_rss_bytes).max(),
            reconnects: sum(|worker| worker.reconnects),
            loop_p99_ms: most(|worker| worker.loop_p99_ms),
            loop_max_ms: most(|worker| worker.loop_max_ms),
        }
    }
}

/// Sentences of several workers: what all of them say stands once, what only some do with the worker's name.
pub fn sentences_of_workers(workers: &[(String, Vec<String>)]) -> Vec<String> {
    let mut together: Vec<String> = Vec::new();
    for (name, sentences) in workers {
        for sentence in sentences {
            let is_of_all = workers.len() > 1 && workers.iter().all(|(_, others)| others.contains(sentence));
            let said = if is_of_all { sentence.clone() } else { format!("{name}: {sentence}") };
            if !together.contains(&said) {
                together.push(said);
            }
        }
    }
    together
}

/// The same of notes.
pub fn notes_of_workers(workers: &[(String, Vec<Note>)]) -> Vec<Note> {
    let texts: Vec<_> =
        workers.iter().map(|(name, notes)| (name.clone(), notes.iter().map(Note::to_string).collect::<Vec<_>>())).collect();
    sentences_of_workers(&texts).into_iter().map(Note::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_say_stands_once() {
        let of = |name: &str, sentences: &[&str]| (name.to_owned(), sentences.iter().map(|text| (*text).to_owned()).collect());
        let together = sentences_of_workers(&[of("Worker 1", &["A.", "B."]), of("Worker 2", &["C.", "A."])]);
        assert_eq!(together, ["A.", "Worker 1: B.", "Worker 2: C."]);
    }

    #[test]
    fn counts_are_added_and_the_worst_share_counts() {
        let one = |share, events, stamps: &str| ClientHealth {
            cpu_share: Some(share),
            content_events: Some(events),
            timestamps: stamps.to_owned(),
            ..ClientHealth::default()
        };
        let both = ClientHealth::of_workers(&[one(0.2, 3, "kernel"), one(0.7, 4, "user")]);
        assert_eq!((both.cpu_share, both.content_events, both.timestamps.as_str()), (Some(0.7), Some(7), "user"));
        assert_eq!(ClientHealth::of_workers(&[one(0.2, 3, "kernel"), one(0.1, 1, "kernel")]).timestamps, "kernel");
    }
}
