//! Removal of what portals that were lost left on a cluster: owners past their deadline, and those of runs that are over here. Another
//! portal's run that may still be at work is left alone, and so is everything that is not an owner of Dyno's.

use dyno_kubernetes::FoundOwner;
use jiff::Timestamp;
use uuid::Uuid;

use super::KubernetesExecutor;
use super::error::KubernetesError;
use crate::state::AppState as App;
use crate::store::StoreError;

/// So long after its deadline nobody goes on with a run any more, seconds.
const OVERDUE_S: i64 = 900;

impl KubernetesExecutor {
    /// How many owners were removed.
    pub(super) async fn remove_left_owners(&self) -> Result<usize, KubernetesError> {
        let connection = self.connection().await?;
        let mut removed = 0;
        for found in connection.owners(&self.access.namespace).await? {
            if is_left(&found, is_over(&self.app, &found.run.id).await?, Timestamp::now()) {
                tracing::info!(run.id = %found.run.id, cluster.name = %self.cluster.name, "removing what a run left");
                connection.delete_owner(&found.run).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Whether a run is over, or was removed; absent of one that this portal's store never had.
async fn is_over(app: &App, run: &str) -> Result<Option<bool>, KubernetesError> {
    let Ok(id) = Uuid::parse_str(run) else { return Ok(None) };
    match app.store.run_of_portal(id).await {
        Ok(run) => Ok(Some(run.status.is_end())),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_left(owner: &FoundOwner, is_over: Option<bool>, now: Timestamp) -> bool {
    let is_overdue = owner.deadline_unix_s.is_some_and(|deadline| now.as_second() > deadline + OVERDUE_S);
    // An owner without a deadline was not made by Dyno.
    owner.deadline_unix_s.is_some() && (is_overdue || is_over == Some(true))
}

#[cfg(test)]
mod tests {
    use dyno_kubernetes::objects::RunName;

    use super::*;

    #[test]
    fn another_portals_run_is_left_alone_until_its_deadline() {
        let now = Timestamp::from_second(10_000).unwrap();
        let owner = |deadline| FoundOwner {
            run: RunName { id: "r".to_owned(), namespace: "dyno".to_owned() },
            deadline_unix_s: deadline,
            ended: true,
        };
        assert!(!is_left(&owner(Some(9_500)), None, now));
        assert!(!is_left(&owner(Some(9_500)), Some(false), now), "at work, or about to be taken over");
        assert!(is_left(&owner(Some(20_000)), Some(true), now));
        assert!(is_left(&owner(Some(9_000)), None, now));
        assert!(!is_left(&owner(None), Some(true), now));
    }
}
