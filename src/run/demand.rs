//! What a load asks of the engines, its datasets' rows looked at: the wizard's confirmation and the run ask the same.

use std::path::Path;

use super::plan::is_trace;
use crate::domain::benchmark::{EvalWith, LoadSpec};
use crate::domain::inventory::{Dataset, DatasetRow, TraceRow};
use crate::engine::fit::Demand;

/// Output limit of a dataset's row without reference.
pub(super) const DEFAULT_OUTPUT: u32 = 256;

/// Why a load's datasets could not be read; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum DemandError {
    #[error("Dataset {0} could not be read: {1}.")]
    Unreadable(String, #[source] std::io::Error),
    #[error(transparent)]
    Trace(#[from] dyno_datasets::TraceError),
    #[error("The datasets could not be read: {0}.")]
    BrokeOff(#[from] tokio::task::JoinError),
}

/// What a load asks of all engines together.
pub async fn demand(data_dir: &Path, load: &LoadSpec, sets: &[Dataset]) -> Result<Demand, DemandError> {
    let is_trace = is_trace(sets);
    let longest = if load.eval_with == EvalWith::Dataset {
        let files: Vec<_> = sets.iter().map(|set| (set.name.clone(), dyno_datasets::path_of(data_dir, set.id))).collect();
        let (output, turns) = (load.max_output_tokens, load.is_multi_turn());
        let work = move || -> Result<u32, DemandError> {
            let mut longest = 0;
            for (name, path) in files {
                longest = longest.max(longest_row(&name, &path, is_trace, turns, output)?);
            }
            Ok(longest)
        };
        Some(tokio::task::spawn_blocking(work).await??)
    } else {
        None
    };
    Ok(Demand::of(load, is_trace, longest))
}

fn longest_row(name: &str, path: &Path, is_trace: bool, turns: bool, output: Option<u32>) -> Result<u32, DemandError> {
    if is_trace {
        let rows = dyno_datasets::read_trace(path, name)?.arrivals;
        return Ok(rows.iter().map(|row| arrival_tokens(row, output)).max().unwrap_or(0));
    }
    let failed = |error| DemandError::Unreadable(name.to_owned(), error);
    let tokens = if turns { conversation_tokens } else { row_tokens };
    let mut longest = 0;
    for row in dyno_datasets::read_rows(path).map_err(failed)? {
        longest = tokens(&row.map_err(failed)?, output).max(longest);
    }
    Ok(longest)
}

/// Tokens that a dataset's row may take, input and output: an estimate that is rather too large.
fn row_tokens(row: &DatasetRow, max_output: Option<u32>) -> u32 {
    let input: u32 = row.messages.iter().map(|message| text_tokens(&message.content).saturating_add(16)).sum();
    let output = max_output.unwrap_or_else(|| row.reference.as_deref().map_or(DEFAULT_OUTPUT, text_tokens));
    input.saturating_add(output)
}

/// Tokens that a dataset's conversation may come to, all turns with their answers: rather too many.
fn conversation_tokens(row: &DatasetRow, max_output: Option<u32>) -> u32 {
    let answers = row.messages.iter().filter(|message| message.role == "assistant");
    // the model's own answers take the place of the recorded ones, as long as the limit allows
    let longer =
        answers.map(|answer| max_output.unwrap_or(0).saturating_sub(text_tokens(&answer.content))).fold(0, u32::saturating_add);
    let more = row
        .more_turns
        .iter()
        .map(|text| text_tokens(text).saturating_add(32 + max_output.unwrap_or(DEFAULT_OUTPUT)))
        .fold(0, u32::saturating_add);
    row_tokens(row, max_output).saturating_add(longer).saturating_add(more)
}

/// Tokens of a trace's request, input and output.
fn arrival_tokens(row: &TraceRow, max_output: Option<u32>) -> u32 {
    row.input_length.saturating_add(row.output_length.min(max_output.unwrap_or(u32::MAX)))
}

fn text_tokens(text: &str) -> u32 {
    let plain = text.chars().filter(char::is_ascii).count();
    let other = text.chars().count() - plain;
    u32::try_from(plain / 2 + other * 2 + 1).unwrap_or(u32::MAX)
}
