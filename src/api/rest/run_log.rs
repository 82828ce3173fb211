//! A run's log as plain text, read from the store piece by piece.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Path;
use crate::api::calls;
use crate::auth::SignedIn;
use crate::domain::event::{RunEvent, StoredEvent};
use crate::domain::problem::Problem;
use crate::state::AppState;

/// Events that are read at once.
const PIECE: u32 = 2_000;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(log))
}

/// Get a run's log
///
/// Every line of every stage so far, oldest first: time, stage, level, text.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/log",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "The lines.", content_type = "text/plain", body = String)),
)]
async fn log(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    // The first piece before the answer begins: a run that is not there is a 404.
    let first = calls::runs::events_after(&app, &actor, id, 0, PIECE).await?;
    let pieces = stream::unfold(Some(first), move |piece| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let piece = piece?;
            let text: String = piece.iter().filter_map(line).collect();
            let next = match piece.last() {
                Some(last) if piece.len() == PIECE as usize => {
                    match calls::runs::events_after(&app, &actor, id, last.seq, PIECE).await {
                        Ok(next) => Some(next),
                        // Broken off, so that half a log is not taken for a whole one.
                        Err(problem) => return Some((Err(std::io::Error::other(problem)), None)),
                    }
                }
                _ => None,
            };
            Some((Ok::<_, std::io::Error>(Bytes::from(text)), next))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"dyno-{id}.log\"")),
    ];
    // Fused: compression asks once more after the end.
    Ok((headers, Body::from_stream(pieces.fuse())).into_response())
}

/// An event as a line of the log; only log lines are.
fn line(stored: &StoredEvent) -> Option<String> {
    let RunEvent::Log(line) = &stored.event else { return None };
    let level = line.level.into_str();
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{} {} {level}: {}", stored.at, line.stage.into_str(), line.line);
    Some(text)
}

#[cfg(test)]
mod tests {
    use dyno_measure::events::LogLevel;
    use jiff::Timestamp;

    use super::*;
    use crate::domain::event::LogLine;
    use crate::domain::run::StageId;

    #[test]
    fn only_log_lines_are_written() {
        let stored = |event| StoredEvent { seq: 1, at: Timestamp::UNIX_EPOCH, event };
        let told = LogLine { stage: StageId::CleanUp, level: LogLevel::Warning, line: "the engine needed KILL".to_owned() };
        assert_eq!(
            line(&stored(RunEvent::Log(told))).as_deref(),
            Some("1970-01-01T00:00:00Z clean_up warning: the engine needed KILL\n")
        );
        assert_eq!(line(&stored(RunEvent::Progress(Box::default()))), None);
    }
}
