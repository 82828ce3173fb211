//! Makes a report from the records in a run's folder.

use std::io;
use std::path::Path;

use dyno_measure::plan::Plan;
use dyno_measure::report::{Circumstances, Note, Phase, Report, report};

use crate::records::read_folder_file;
use crate::sidecar;

/// The report of a run's folder, also where the load was killed; `None` without a record of a measured request.
///
/// # Errors
/// When a file exists but can't be read.
pub fn from_folder(folder: &Path, plan: &Plan) -> io::Result<Option<Report>> {
    let path = match &plan.requests {
        Some(path) if path.is_absolute() => path.clone(),
        Some(path) => path.file_name().map_or_else(|| folder.join("requests.ndjson"), |name| folder.join(name)),
        None => folder.join("requests.ndjson"),
    };
    let Some(records) = read_folder_file(&path)? else { return Ok(None) };
    if !records.rows.iter().any(|row| row.phase == Phase::Measured) {
        return Ok(None);
    }
    let why = "The load process ended before it wrote its report: these are the requests that had ended by then.";
    let notes = vec![Note::from(why.to_owned())];
    let sidecar = sidecar::read(&path).unwrap_or_default();
    Ok(Some(report(&records, plan, Circumstances { notes, sidecar, ended_early: true, ..Circumstances::default() })))
}
