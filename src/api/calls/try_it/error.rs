//! Why "Try it" could not go on, as people read it.

use std::path::PathBuf;

use tokio::task::JoinError;

use super::commands::ProgramError;
use crate::domain::problem::Problem;
use crate::models::ModelFileError;

/// Each reads as a sentence that says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum TryItError {
    #[error("The portal was stopped. Start again: what is there already is kept.")]
    Stopped,
    #[error("{} could not be made: {}.", .0.display(), .1.kind())]
    Folder(PathBuf, #[source] std::io::Error),
    #[error("Python 3 was not found. Install it (on Debian and Ubuntu: apt install python3 python3-venv), then start again.")]
    NoPython,
    #[error(
        "Python 3 is here, but its venv and pip are not. Install them (on Debian and Ubuntu: apt install python3-venv), then \
         start again."
    )]
    NoVenv,
    #[error("Python {0} is too old: version 3.9 or later is needed.")]
    OldPython(String),
    /// What was being done, and how its program failed.
    #[error("{}", .1.sentence(.0))]
    Command(&'static str, ProgramError),
    #[error("Looking for llama.cpp failed. The portal's log says why.")]
    Look(#[source] JoinError),
    #[error("llama.cpp was installed, but is not found. The portal's log may say why.")]
    EngineNotFound,
    #[error("The package with the model did not arrive.")]
    NoPackage,
    #[error("The model that arrived is not the expected one: its digest differs. Nothing was kept.")]
    WrongDigest,
    #[error("The model could not be kept: {}.", .0.kind())]
    Keep(#[source] std::io::Error),
    #[error("{}", .0.sentence())]
    Model(ModelFileError),
    #[error("Reading the model failed. The portal's log says why.")]
    Read(#[source] JoinError),
    #[error("{}", sentence(.0))]
    Refused(Problem),
}

impl TryItError {
    /// For a command's failure.
    pub(super) fn of(what: &'static str) -> impl FnOnce(ProgramError) -> Self {
        move |failure| Self::Command(what, failure)
    }
}

impl From<Problem> for TryItError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// The first field's message says more than the problem of the whole.
fn sentence(problem: &Problem) -> &str {
    problem.errors.first().map_or(&problem.detail, |error| &error.message)
}
