//! What a load asks of the engines, its datasets' rows looked at: the wizard's confirmation and the run ask the same.

use std::path::Path;

use crate::domain::dataset::Dataset;
use crate::engine::fit::Demand;
use crate::state::{AppState, RowCounting};
use dyno_measure::dataset::{DatasetRow, TraceRow};
use dyno_measure::load::{EvalWith, LoadSpec};
use dyno_simulate::StopFlag;

/// Output limit of a dataset's row without reference.
pub(super) const DEFAULT_OUTPUT: u32 = 256;

/// Why a load's datasets could not be read; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum DemandError {
    #[error("Dataset {0} could not be read: {1}.")]
    Unreadable(String, #[source] std::io::Error),
    #[error("The datasets could not be read: {0}.")]
    BrokeOff(#[from] tokio::task::JoinError),
}

/// What a load asks of all engines together. Datasets may be large: at most as many are read at once as questions are simulated, and until
/// nobody waits any more.
pub async fn demand(app: &AppState, load: &LoadSpec, sets: &[Dataset]) -> Result<Demand, DemandError> {
    let is_trace = is_trace(sets);
    let longest = if load.eval_with == EvalWith::Dataset {
        let counting = RowCounting { is_trace, multi_turn: load.is_multi_turn(), max_output: load.max_output_tokens };
        // of single requests with a limit only the inputs differ: counted once, whatever the limit
        let (counting, limit) = match counting {
            RowCounting { is_trace: false, multi_turn: false, max_output: Some(limit) } => {
                (RowCounting { max_output: Some(0), ..counting }, limit)
            }
            _ => (counting, 0),
        };
        let (shared, sets) = (app.clone(), sets.to_vec());
        let work = move |stop: &StopFlag| -> Result<u32, DemandError> {
            let mut longest = 0;
            for set in sets {
                let path = dyno_datasets::path_of(&shared.config.data_dir, set.id);
                let count = || longest_row(&path, counting, stop);
                let of_set = shared.longest_rows.of(&path, counting, count);
                let of_set = of_set.map_err(|error| DemandError::Unreadable(set.name.clone(), error))?;
                longest = longest.max(of_set);
            }
            Ok(longest)
        };
        Some(app.simulation_slots.for_question().await.spawn(work).answer().await??.saturating_add(limit))
    } else {
        None
    };
    Ok(Demand::of(load, is_trace, longest))
}

/// Whether a trace is played.
fn is_trace(datasets: &[Dataset]) -> bool {
    datasets.iter().any(|dataset| dataset.format.is_trace())
}

fn longest_row(path: &Path, counting: RowCounting, stop: &StopFlag) -> std::io::Result<u32> {
    let go_on = || if stop.is_stopped() { Err(std::io::Error::other("nobody waits for it any more")) } else { Ok(()) };
    let output = counting.max_output;
    let mut longest = 0;
    if counting.is_trace {
        for row in dyno_datasets::read_arrivals(path)? {
            go_on()?;
            longest = arrival_tokens(&row?, output).max(longest);
        }
        return Ok(longest);
    }
    let tokens = if counting.multi_turn { conversation_tokens } else { row_tokens };
    for row in dyno_datasets::read_rows(path)? {
        go_on()?;
        longest = tokens(&row?, output).max(longest);
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
