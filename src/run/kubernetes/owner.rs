//! A run's owner: how long it lives, and its removal.

use std::time::Duration;

use dyno_kubernetes::Connection;
use dyno_kubernetes::objects::{Lifetime, LoadPod, RunName};
use jiff::Timestamp;
use tokio::time::Instant;

use super::error::KubernetesError;
use super::layout;

/// How long what is left of a run stays on the cluster where no portal removes it, seconds.
const KEPT_S: i32 = 3_600;
/// A run that was begun and not handed over ends after this, seconds.
pub(super) const TRANSFER_LIMIT_S: i64 = 24 * 3_600;
/// Pods that are still there so long after their owner was removed are killed.
const REMOVAL: Duration = Duration::from_mins(1);
/// Between two looks at what is left.
const PAUSE: Duration = Duration::from_millis(250);

/// How long an owner lives that ends at a deadline.
pub(super) fn lifetime(deadline: Timestamp) -> Lifetime {
    let deadline_unix_s = deadline.as_second();
    Lifetime { active_s: deadline_unix_s - Timestamp::now().as_second(), deadline_unix_s, kept_s: KEPT_S }
}

/// The load pod of a run whose plan is not known yet: only its owner is needed.
pub(super) fn provisional_load(image: &str, node: &str) -> LoadPod {
    let node = layout::LoadNode { hostname: node.to_owned(), note: None };
    layout::load_pod(image, &node, false)
}

/// Removes a run's owner, and waits until nothing of it is left.
pub(super) async fn remove_owner(connection: &Connection, run: &RunName) -> Result<(), KubernetesError> {
    connection.delete_owner(run).await?;
    let begun = Instant::now();
    while !connection.left(run).await?.is_empty() {
        if begun.elapsed() > REMOVAL {
            connection.delete_pods_at_once(run).await?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
