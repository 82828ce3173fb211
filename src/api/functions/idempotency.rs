//! A form that is sent twice acts once: a double click, or an impatient second one. Each form has a number of its own; what
//! comes with the number of an action under way, or of one done a moment ago, gets that action's answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use uuid::Uuid;

use crate::domain::problem::{Problem, ProblemKind};

/// How long after an action the same form counts as the same click. Later it is meant: back, and once more.
const WITHIN: Duration = Duration::from_secs(10);

/// The page to go on to, and a sentence about what was done (empty where that page tells by itself).
pub(super) type Done = (String, String);

type Answer = Shared<BoxFuture<'static, Result<Done, Problem>>>;

struct Click {
    answer: Answer,
    /// When the action was done; nothing while it goes on.
    done: Option<Instant>,
}

/// By person and form.
static CLICKS: LazyLock<Mutex<HashMap<(Uuid, Uuid), Click>>> = LazyLock::new(Mutex::default);

fn clicks() -> MutexGuard<'static, HashMap<(Uuid, Uuid), Click>> {
    CLICKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// [`once`] for an action whose next page tells by itself what was done: the path of that page.
pub(super) async fn once_to<F>(person: Uuid, form: &str, act: F) -> Result<String, Problem>
where
    F: Future<Output = Result<String, Problem>> + Send + 'static,
{
    once(person, form, act.map(|path| path.map(|path| (path, String::new())))).await.map(|(path, _)| path)
}

/// Does what a form asks for, once for each form. The action goes on when the browser no longer waits for it, as it does not
/// after a second click. A form without a number is no browser's, and always acts. What was refused may be tried again.
pub(super) async fn once<F>(person: Uuid, form: &str, act: F) -> Result<Done, Problem>
where
    F: Future<Output = Result<Done, Problem>> + Send + 'static,
{
    let Ok(form) = Uuid::parse_str(form) else { return act.await };
    let key = (person, form);
    let answer = {
        let now = Instant::now();
        let mut clicks = clicks();
        clicks.retain(|_, click| click.done.is_none_or(|done| now.duration_since(done) < WITHIN));
        let click = clicks.entry(key).or_insert_with(|| {
            let action = tokio::spawn(async move {
                let answer = act.await;
                let mut clicks = super::idempotency::clicks();
                if answer.is_err() {
                    clicks.remove(&key);
                } else if let Some(click) = clicks.get_mut(&key) {
                    click.done = Some(Instant::now());
                }
                answer
            });
            let answer = action.map(|ended| ended.unwrap_or_else(|_| Err(broken())));
            Click { answer: answer.boxed().shared(), done: None }
        });
        click.answer.clone()
    };
    let told = answer.await;
    if told.is_err() {
        // Also after a panic, which tidied up nothing.
        clicks().remove(&key);
    }
    told
}

fn broken() -> Problem {
    Problem::new(ProblemKind::Internal, "This could not be done: something broke in the portal. Its log says more.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn click(person: Uuid, form: &str, count: &Arc<AtomicU32>) -> Result<String, Problem> {
        let count = Arc::clone(count);
        once_to(person, form, async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(count.fetch_add(1, Ordering::SeqCst).to_string())
        })
        .await
    }

    #[tokio::test]
    async fn two_clicks_act_once_two_forms_or_people_twice() {
        let (person, other, count) = (Uuid::new_v4(), Uuid::new_v4(), Arc::new(AtomicU32::new(0)));
        let (form, another) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let (first, second) = tokio::join!(click(person, &form, &count), click(person, &form, &count));
        assert_eq!((first.unwrap(), second.unwrap()), ("0".to_owned(), "0".to_owned()));
        assert_eq!(click(person, &form, &count).await.unwrap(), "0");
        assert_eq!(click(person, &another, &count).await.unwrap(), "1");
        assert_eq!(click(other, &form, &count).await.unwrap(), "2");
        assert_eq!(click(person, "", &count).await.unwrap(), "3");
        assert_eq!(click(person, "", &count).await.unwrap(), "4");
    }

    #[tokio::test]
    async fn an_action_ends_though_its_first_click_is_forgotten() {
        let (person, form, count) = (Uuid::new_v4(), Uuid::new_v4().to_string(), Arc::new(AtomicU32::new(0)));
        let given_up = tokio::time::timeout(Duration::from_millis(1), click(person, &form, &count)).await;
        assert!(given_up.is_err());
        assert_eq!(click(person, &form, &count).await.unwrap(), "0");
    }

    #[tokio::test]
    async fn what_was_refused_or_broke_may_be_tried_again() {
        let (person, form) = (Uuid::new_v4(), Uuid::new_v4().to_string());
        let refused = once_to(person, &form, async { Err(Problem::not_found("run")) }).await;
        assert_eq!(refused.unwrap_err().kind, ProblemKind::NotFound);
        let broke = once_to(person, &form, async { panic!("on purpose") }).await;
        assert_eq!(broke.unwrap_err().kind, ProblemKind::Internal);
        assert_eq!(once_to(person, &form, async { Ok("done".to_owned()) }).await.unwrap(), "done");
    }
}
