//! Where the report's charts are to be had as files.

use uuid::Uuid;

use crate::components::charts::ChartFiles;

/// Where the charts of a run's load point are.
pub fn files(run: Uuid, point: usize) -> ChartFiles {
    ChartFiles { folder: format!("/runs/{run}/report/charts"), query: format!("?point={point}") }
}
