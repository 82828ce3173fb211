//! A cluster that does not answer is asked again, but not for ever.

use std::time::Duration;

use dyno_kubernetes::ApiError;
use tokio::time::{Instant, sleep};

use super::error::KubernetesError;

/// An API server that is away for a minute, or whose token is renewed meanwhile, loses nothing.
const PATIENCE: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_secs(1);

/// Asks until the cluster answers, five minutes at most.
pub(super) async fn while_unanswered<T, F>(ask: impl Fn() -> F) -> Result<T, KubernetesError>
where
    F: Future<Output = Result<T, KubernetesError>>,
{
    asked_again(ask, PATIENCE, PAUSE).await
}

async fn asked_again<T, F>(ask: impl Fn() -> F, patience: Duration, pause: Duration) -> Result<T, KubernetesError>
where
    F: Future<Output = Result<T, KubernetesError>>,
{
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if is_silence(&error) && begun.elapsed() < patience => sleep(pause).await,
            answer => return answer,
        }
    }
}

/// Whether the same question may have an answer later, although nothing of the run is changed.
fn is_silence(error: &KubernetesError) -> bool {
    use ApiError::{Late, Unauthorized, Unavailable, Unreachable};
    matches!(error, KubernetesError::Api(Unreachable(_) | Late | Unauthorized | Unavailable(_)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// How a cluster answers that is silent for so many questions, and how often it was asked.
    async fn asked(silent: u32, then: impl Fn() -> Result<u32, KubernetesError>) -> (Result<u32, KubernetesError>, u32) {
        let asked = AtomicU32::new(0);
        let ask =
            || async { if asked.fetch_add(1, Ordering::Relaxed) < silent { Err(ApiError::Unauthorized.into()) } else { then() } };
        let answer = asked_again(ask, Duration::from_millis(50), Duration::from_millis(1)).await;
        (answer, asked.into_inner())
    }

    #[tokio::test]
    async fn a_cluster_that_answers_again_is_waited_for() {
        let (answer, times) = asked(5, || Ok(7)).await;
        assert_eq!((answer.unwrap(), times), (7, 6));
    }

    #[tokio::test]
    async fn one_that_stays_away_is_given_up() {
        assert!(asked(u32::MAX, || Ok(7)).await.0.is_err());
    }

    #[tokio::test]
    async fn a_refusal_is_an_answer() {
        let (answer, times) = asked(0, || Err(ApiError::Forbidden("no".to_owned()).into())).await;
        assert!(answer.is_err());
        assert_eq!(times, 1);
    }
}
