//! The report of a run whose load left none, of the request records that were taken over while it went on.

use uuid::Uuid;

use super::executor::Collected;
use super::text;
use crate::store::{Store, StoreError};
use dyno_measure::records::{GapsBuf, Records};
use dyno_measure::report::{Circumstances, Note, Phase, Report, report};

/// Records that are read at once.
const PORTION: u32 = 10_000;

/// Absent where no request of the measurement is among the records, or it is not known what the load was.
pub(super) async fn report_of_kept(store: &Store, run: Uuid, collected: &Collected) -> Result<Option<Report>, StoreError> {
    let Some(plan) = collected.plan.clone() else { return Ok(None) };
    let mut records = Records { lacks_gaps: true, ..Records::default() };
    let mut after = 0;
    loop {
        let portion = store.records_after_of_portal(run, after, PORTION).await?;
        let Some((last, _)) = portion.last() else { break };
        after = *last;
        for (_, record) in portion {
            if records.id_prefix.is_empty() {
                let end = record.id.rfind('-').unwrap_or(0);
                record.id[..end].clone_into(&mut records.id_prefix);
            }
            records.push_record(record, &GapsBuf::default());
        }
    }
    if !records.rows.iter().any(|row| row.phase == Phase::Measured) {
        return Ok(None);
    }
    let taken = text::requests(records.rows.len() as u64);
    let note = format!(
        "The load left no report: this one is of the records of {taken} that were taken over while the load went on. When the events of an answer came is not among them, so there is neither an inter-token latency nor a steady-state window."
    );
    let circumstances = Circumstances {
        notes: vec![Note::from(note)],
        sidecar: collected.sidecar.clone(),
        ended_early: true,
        ..Circumstances::default()
    };
    // There may be a million.
    let computed = tokio::task::spawn_blocking(move || report(&records, &plan, circumstances)).await;
    match computed {
        Ok(report) => Ok(Some(report)),
        Err(error) => {
            tracing::warn!(run.id = %run, %error, "no report could be made of the records that are kept");
            Ok(None)
        }
    }
}
