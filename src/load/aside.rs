//! What the records of a load don't say by themselves, kept beside them, so that those of a killed process make a whole
//! report: `requests.ndjson.aside`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::PlannedLoad;
use crate::domain::trust::SelfCheck;

/// A load point that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// What was planned for it.
    pub planned: PlannedLoad,
    /// Whether it was ended early, since so many requests were over the limits that its percentile could no longer be within
    /// them.
    #[serde(default)]
    pub over: bool,
}

/// What stands beside the records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Aside {
    /// The client's check before the load.
    #[serde(default)]
    pub self_check: Option<SelfCheck>,
    /// The load points that were begun.
    #[serde(default)]
    pub points: Vec<Carried>,
}

impl Aside {
    /// Writes it beside a record file, all of it or nothing.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, requests: &Path) -> io::Result<()> {
        let path = path(requests);
        let new = path.with_extension("aside-new");
        std::fs::write(&new, serde_json::to_vec(self)?)?;
        std::fs::rename(new, path)
    }

    /// Reads what stands beside a record file; nothing where that is not there or not whole.
    pub fn read(requests: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path(requests)).ok()?).ok()
    }
}

fn path(requests: &Path) -> PathBuf {
    let mut name = requests.as_os_str().to_owned();
    name.push(".aside");
    PathBuf::from(name)
}
