//! What engines and load print, as far as it goes to the journal; all of it is in their files.

use super::stages::Keeper;
use crate::domain::run::StageId;
use crate::run::local::files;
use crate::run::local::tail::last_lines;
use dyno_measure::events::LogLevel;

/// Lines of an engine's log that go to the journal while it starts.
const LOG_LINES: usize = 400;
/// Last lines of a log that go to the journal when its process failed.
const LAST_LINES: usize = 20;

impl Keeper {
    /// Copies new lines of an engine's log to the journal, up to a number.
    pub(super) fn copy_log(&mut self, index: usize) {
        let engine = &mut self.engines[index];
        let Ok(lines) = engine.log.lines() else { return };
        for line in lines {
            if engine.logged == LOG_LINES {
                let more = format!("More is in {}.", files::engine_log(index));
                self.journal.log(StageId::VerifyDeploymentStatus, LogLevel::Info, more);
            } else if engine.logged < LOG_LINES {
                self.journal.log(StageId::VerifyDeploymentStatus, LogLevel::Info, String::from_utf8_lossy(&line));
            }
            engine.logged += 1;
        }
    }

    pub(super) fn last_words(&mut self, index: usize, stage: StageId) -> Option<String> {
        self.words(&files::engine_log(index), stage)
    }

    pub(super) fn load_words(&mut self, stage: StageId) {
        self.words(files::LOAD_LOG, stage);
    }

    /// The last lines of a log to the journal; the very last is returned.
    fn words(&mut self, file: &str, stage: StageId) -> Option<String> {
        let lines = last_lines(&self.dir.join(file), LAST_LINES);
        for line in &lines {
            self.journal.log(stage, LogLevel::Error, line.as_str());
        }
        lines.into_iter().next_back()
    }
}
