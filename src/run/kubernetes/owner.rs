//! A run's owner: how long it lives, and its removal.

use std::time::Duration;

use dyno_kubernetes::objects::{Lifetime, LoadPod, RunName};
use dyno_kubernetes::{ApiError, Connection};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use super::error::RemovalError;
use super::layout::Images;
use crate::domain::benchmark::LOAD_CPU_MILLICORES;
use crate::run::plan::SECRET_ENV;

/// How long what is left of a run stays on the cluster where no portal removes it, seconds.
const KEPT_S: i32 = 3_600;
/// A transfer ends after this, seconds.
pub(super) const TRANSFER_LIMIT_S: i64 = 24 * 3_600;
/// The owner of a transfer ends so long after the last portal that followed it put that off, seconds.
const UNFOLLOWED_S: i64 = 30 * 60;
/// How long what such a one owns stays then: nothing was measured.
const UNFOLLOWED_KEPT_S: i32 = 300;
/// Between putting it off and doing so again.
const POSTPONED_EACH: Duration = Duration::from_mins(5);
const LIMITS: RemovalLimits =
    RemovalLimits { until_killed: Duration::from_secs(90), most: Duration::from_mins(3), pause: Duration::from_millis(300) };

/// How long a removal is waited for.
struct RemovalLimits {
    /// Pods that are still there so long after their owner's removal was asked for are killed.
    until_killed: Duration,
    /// Nothing is waited for any longer.
    most: Duration,
    /// Between two looks at what is left.
    pause: Duration,
}

/// How long an owner lives that ends at a deadline.
pub(super) fn lifetime(deadline: Timestamp) -> Lifetime {
    let deadline_unix_s = deadline.as_second();
    Lifetime { active_s: deadline_unix_s - Timestamp::now().as_second(), deadline_unix_s, kept_s: KEPT_S }
}

/// How long an owner lives whose model is being transferred, where nobody puts its end off.
pub(super) fn transfer_lifetime(now: Timestamp) -> Lifetime {
    Lifetime { kept_s: UNFOLLOWED_KEPT_S, ..lifetime(unfollowed_deadline(now)) }
}

fn unfollowed_deadline(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(UNFOLLOWED_S)).unwrap_or(Timestamp::MAX)
}

/// Puts the deadline of a transfer off again and again while it goes on.
pub(super) async fn while_followed<T, F: Future<Output = ()>>(
    transfer: impl Future<Output = T>,
    postpone: impl Fn(Timestamp) -> F,
) -> T {
    followed(transfer, postpone, POSTPONED_EACH).await
}

async fn followed<T, F: Future<Output = ()>>(
    transfer: impl Future<Output = T>,
    postpone: impl Fn(Timestamp) -> F,
    each: Duration,
) -> T {
    let mut transfer = std::pin::pin!(transfer);
    loop {
        // What is asked of the cluster meanwhile goes on while the deadline is put off.
        let postponed = async {
            sleep(each).await;
            postpone(unfollowed_deadline(Timestamp::now())).await;
        };
        tokio::select! {
            done = &mut transfer => return done,
            () = postponed => {}
        }
    }
}

/// The load pod of a run whose plan is not known yet: only its owner is needed.
pub(super) fn provisional_load(images: Images<'_>, node: &str) -> LoadPod {
    LoadPod {
        image: images.own.to_owned(),
        pull_secrets: images.pull_secrets.to_vec(),
        node: node.to_owned(),
        cpu_millis: LOAD_CPU_MILLICORES,
        credential_env: SECRET_ENV.to_owned(),
        takes_files: false,
    }
}

/// Removes a run's owner with all that it owns, and waits until nothing is left; an API server that does not answer is asked again.
/// After three minutes at most it is over, one way or the other.
pub(super) async fn remove_owner(connection: &Connection, run: &RunName) -> Result<(), RemovalError> {
    removed(&OnCluster { connection, run }, &LIMITS).await
}

/// What a removal asks of a cluster.
trait Removal {
    async fn delete(&self) -> Result<(), ApiError>;
    /// Ends pods without waiting for their nodes.
    async fn kill_pods(&self) -> Result<(), ApiError>;
    /// The names of what is there still.
    async fn left(&self) -> Result<Vec<String>, ApiError>;
}

struct OnCluster<'a> {
    connection: &'a Connection,
    run: &'a RunName,
}

impl Removal for OnCluster<'_> {
    async fn delete(&self) -> Result<(), ApiError> {
        self.connection.delete_owner(self.run).await
    }

    async fn kill_pods(&self) -> Result<(), ApiError> {
        self.connection.delete_pods_at_once(self.run).await
    }

    async fn left(&self) -> Result<Vec<String>, ApiError> {
        self.connection.left(self.run).await
    }
}

async fn removed(cluster: &impl Removal, limits: &RemovalLimits) -> Result<(), RemovalError> {
    let begun = Instant::now();
    let (mut is_asked, mut is_forced) = (false, false);
    loop {
        let step = async {
            if !is_asked {
                cluster.delete().await?;
                is_asked = true;
            }
            if begun.elapsed() > limits.until_killed && !is_forced {
                cluster.kill_pods().await?;
                is_forced = true;
            }
            cluster.left().await
        };
        let left = match timeout(limits.most.saturating_sub(begun.elapsed()), step).await {
            Ok(Ok(left)) if left.is_empty() => return Ok(()),
            Ok(Ok(left)) => RemovalError::Left(left),
            Ok(Err(error @ (ApiError::Forbidden(_) | ApiError::Refused(_) | ApiError::Admission(_)))) => {
                return Err(RemovalError::Unanswered(error));
            }
            Ok(Err(error)) => RemovalError::Unanswered(error),
            Err(_) => RemovalError::Unanswered(ApiError::Late),
        };
        if begun.elapsed() + limits.pause >= limits.most {
            return Err(left);
        }
        sleep(limits.pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SHORT: RemovalLimits = RemovalLimits {
        until_killed: Duration::from_millis(90),
        most: Duration::from_millis(400),
        pause: Duration::from_millis(3),
    };
    /// Longer than any of these tests.
    const NEVER: Duration = Duration::from_hours(1);

    /// A cluster that answers from a moment on, and whose pod is there until another, or until it is killed.
    struct Cluster {
        begun: Instant,
        answers_after: Duration,
        pod_ends_after: Duration,
        /// Whether killing ends the pod.
        is_killable: bool,
        killed: AtomicU32,
    }

    impl Cluster {
        fn new(answers_after: Duration, pod_ends_after: Duration) -> Self {
            Self { begun: Instant::now(), answers_after, pod_ends_after, is_killable: true, killed: AtomicU32::new(0) }
        }

        /// The longest that a call waits is more than a removal does in all.
        async fn answer(&self, patience: Duration) -> Result<(), ApiError> {
            if self.begun.elapsed() >= self.answers_after {
                return Ok(());
            }
            sleep(patience).await;
            Err(ApiError::Late)
        }
    }

    impl Removal for Cluster {
        async fn delete(&self) -> Result<(), ApiError> {
            self.answer(Duration::from_millis(20)).await
        }

        async fn kill_pods(&self) -> Result<(), ApiError> {
            self.answer(NEVER).await?;
            self.killed.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        async fn left(&self) -> Result<Vec<String>, ApiError> {
            self.answer(NEVER).await?;
            let is_killed = self.is_killable && self.killed.load(Ordering::Relaxed) > 0;
            let is_gone = is_killed || self.begun.elapsed() >= self.pod_ends_after;
            Ok(if is_gone { Vec::new() } else { vec!["Pod p".to_owned()] })
        }
    }

    /// Whether or not the cluster could be asked each time.
    #[tokio::test]
    async fn the_end_of_a_transfer_is_put_off_as_long_as_it_goes_on() {
        let deadlines = Mutex::new(Vec::new());
        let (third, until) = tokio::sync::oneshot::channel();
        let third = Mutex::new(Some(third));
        let postpone = |deadline: Timestamp| {
            deadlines.lock().unwrap().push(deadline);
            let is_third = deadlines.lock().unwrap().len() == 3;
            if let Some(third) = third.lock().unwrap().take_if(|_| is_third) {
                third.send(7).unwrap();
            }
            std::future::ready(())
        };
        let begun = Timestamp::now();
        assert_eq!(followed(until, postpone, Duration::from_millis(3)).await, Ok(7));
        let deadlines = deadlines.into_inner().unwrap();
        assert!(deadlines.is_sorted() && deadlines[0] >= unfollowed_deadline(begun), "{deadlines:?}");
        let lifetime = transfer_lifetime(begun);
        assert!(lifetime.active_s + i64::from(lifetime.kept_s) <= 35 * 60, "{lifetime:?}");
    }

    #[tokio::test]
    async fn what_ends_in_time_is_not_killed() {
        let cluster = Cluster::new(Duration::ZERO, Duration::from_millis(20));
        removed(&cluster, &SHORT).await.unwrap();
        assert_eq!(cluster.killed.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn pods_that_do_not_end_are_killed_once() {
        let cluster = Cluster::new(Duration::ZERO, NEVER);
        removed(&cluster, &SHORT).await.unwrap();
        assert_eq!(cluster.killed.load(Ordering::Relaxed), 1);
        assert!(cluster.begun.elapsed() >= SHORT.until_killed);
    }

    #[tokio::test]
    async fn what_stays_all_the_same_is_named() {
        let cluster = Cluster { is_killable: false, ..Cluster::new(Duration::ZERO, NEVER) };
        let error = removed(&cluster, &SHORT).await.unwrap_err();
        assert_eq!(error.to_string(), "The cluster has not removed yet: Pod p.");
    }

    #[tokio::test]
    async fn an_api_server_that_comes_back_is_asked_again() {
        removed(&Cluster::new(Duration::from_millis(60), Duration::from_millis(70)), &SHORT).await.unwrap();
    }

    #[tokio::test]
    async fn an_api_server_that_stays_away_is_not_waited_for_for_ever() {
        let cluster = Cluster::new(NEVER, Duration::ZERO);
        let error = removed(&cluster, &SHORT).await.unwrap_err();
        assert!(error.to_string().contains("at the run's time limit"), "{error}");
    }
}
