//! A form that is sent twice acts once: a double click, an impatient second one, the same form sent again after a restart or
//! to another process. Each form has a number of its own; what comes with the number and the fields of an action that is
//! under way or was done gets that action's answer.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::problem::{Problem, ProblemKind};
use crate::state::AppState;
use crate::store::FormAction;

/// How long the answer to a form with fields is kept.
pub(super) const FIELDS_KEPT: SignedDuration = SignedDuration::from_mins(10);
/// How long the answer to a form that is only a button is kept. Later it is meant: back, and once more.
pub(super) const BUTTON_KEPT: SignedDuration = SignedDuration::from_secs(10);
/// A process that does not renew its claim for so long is taken for dead.
const CLAIM: SignedDuration = SignedDuration::from_secs(30);
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How often is looked whether an action that another request carries out has ended.
const POLL: Duration = Duration::from_millis(50);

/// The page to go on to, and a sentence about what was done (empty where that page tells by itself).
pub(super) type Done = (String, String);

/// What tells one action from another.
pub(super) struct FormKey {
    person: Uuid,
    key: [u8; 32],
    kept: SignedDuration,
}

impl FormKey {
    /// A form's key; absent for one without a number, which is no browser's.
    pub(super) fn new(person: Uuid, number: &str, function: &str, fields: &[&str], kept: SignedDuration) -> Option<Self> {
        let number = Uuid::parse_str(number).ok()?.to_string();
        let mut digest = Sha256::new();
        let person_text = person.to_string();
        for part in [person_text.as_str(), &number, function].iter().chain(fields) {
            // With their lengths, so that no two lists of parts run into the same text.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        Some(Self { person, key: digest.finalize().into(), kept })
    }
}

/// [`once`] for an action whose next page tells by itself what was done: the path of that page.
pub(super) async fn once_to<F>(app: &AppState, form: Option<FormKey>, act: F) -> Result<String, Problem>
where
    F: Future<Output = Result<String, Problem>> + Send + 'static,
{
    once(app, form, act.map(|path| path.map(|path| (path, String::new())))).await.map(|(path, _)| path)
}

/// Does what a form asks for, once for each key. The action goes on when the browser no longer waits for it, as it does not
/// after a second click. A form without a key always acts. What was refused may be tried again.
pub(super) async fn once<F>(app: &AppState, form: Option<FormKey>, act: F) -> Result<Done, Problem>
where
    F: Future<Output = Result<Done, Problem>> + Send + 'static,
{
    let Some(form) = form else { return act.await };
    loop {
        let now = Timestamp::now();
        match app.store.claim_form_action(&form.key, form.person, now + CLAIM, now).await? {
            FormAction::Claimed => break,
            FormAction::UnderWay => tokio::time::sleep(POLL).await,
            FormAction::Done { path, sentence } => return Ok((path, sentence)),
        }
    }
    let app = app.clone();
    tokio::spawn(async move {
        // In a task of its own, so that a panic of the action still gives the claim back.
        let mut action = tokio::spawn(act);
        let answer = loop {
            tokio::select! {
                ended = &mut action => break ended.unwrap_or_else(|_| Err(broken())),
                () = tokio::time::sleep(RENEW_EVERY) => {
                    if let Err(error) = app.store.renew_form_action(&form.key, Timestamp::now() + CLAIM).await {
                        tracing::warn!(%error, "a form's claim could not be renewed");
                    }
                }
            }
        };
        let noted = match &answer {
            Ok((path, sentence)) => app.store.end_form_action(&form.key, path, sentence, Timestamp::now() + form.kept).await,
            Err(_) => app.store.release_form_action(&form.key).await,
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "how a form's action ended could not be kept");
        }
        answer
    })
    .await
    .unwrap_or_else(|_| Err(broken()))
}

fn broken() -> Problem {
    Problem::new(ProblemKind::Internal, "This could not be done: something broke in the portal. Its log says more.")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::state::{Config, ServeArgs};

    struct Setting {
        _folder: tempfile::TempDir,
        app: AppState,
        person: Uuid,
        count: Arc<AtomicU32>,
    }

    impl Setting {
        async fn new() -> Self {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let folder = tempfile::tempdir().unwrap();
            let addr = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
            let args = ServeArgs { addr, data_dir: folder.path().to_owned(), ..ServeArgs::default() };
            let (config, options) = Config::from_args(args).unwrap();
            let app = AppState::open(config, options).await.unwrap();
            let person = app.store.first_administrator(Timestamp::now()).await.unwrap().id;
            Self { _folder: folder, app, person, count: Arc::default() }
        }

        async fn click(&self, person: Uuid, number: &str, fields: &[&str]) -> Result<String, Problem> {
            let count = Arc::clone(&self.count);
            let key = FormKey::new(person, number, "test", fields, FIELDS_KEPT);
            once_to(&self.app, key, async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(count.fetch_add(1, Ordering::SeqCst).to_string())
            })
            .await
        }
    }

    #[tokio::test]
    async fn two_clicks_act_once_two_forms_people_or_entries_twice() {
        let setting = Setting::new().await;
        let (person, now) = (setting.person, Timestamp::now());
        let other = setting.app.store.create_user("other", crate::domain::user::Role::Member, now).await.unwrap().id;
        let (form, another) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let (first, second) = tokio::join!(setting.click(person, &form, &["a"]), setting.click(person, &form, &["a"]));
        assert_eq!((first.unwrap(), second.unwrap()), ("0".to_owned(), "0".to_owned()));
        assert_eq!(setting.click(person, &form, &["a"]).await.unwrap(), "0");
        assert_eq!(setting.click(person, &another, &["a"]).await.unwrap(), "1");
        assert_eq!(setting.click(other, &form, &["a"]).await.unwrap(), "2");
        assert_eq!(setting.click(person, "", &["a"]).await.unwrap(), "3");
        assert_eq!(setting.click(person, "", &["a"]).await.unwrap(), "4");
        assert_eq!(setting.click(person, &form, &["b"]).await.unwrap(), "5");
        assert_eq!(setting.click(person, &form, &["a", "b"]).await.unwrap(), "6");
        assert_eq!(setting.click(person, &form, &["ab"]).await.unwrap(), "7");
        assert_eq!(setting.click(person, &form, &["a"]).await.unwrap(), "0");
    }

    #[tokio::test]
    async fn an_action_ends_though_its_first_click_is_forgotten() {
        let setting = Setting::new().await;
        let form = Uuid::new_v4().to_string();
        let given_up = tokio::time::timeout(Duration::from_millis(15), setting.click(setting.person, &form, &[])).await;
        assert!(given_up.is_err());
        assert_eq!(setting.click(setting.person, &form, &[]).await.unwrap(), "0");
        assert_eq!(setting.count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_was_refused_or_broke_may_be_tried_again() {
        let Setting { _folder, app, person, .. } = Setting::new().await;
        let form = Uuid::new_v4().to_string();
        let key = || FormKey::new(person, &form, "test", &[], FIELDS_KEPT);
        let refused = once_to(&app, key(), async { Err(Problem::not_found("run")) }).await;
        assert_eq!(refused.unwrap_err().kind, ProblemKind::NotFound);
        let broke = once_to(&app, key(), async { panic!("on purpose") }).await;
        assert_eq!(broke.unwrap_err().kind, ProblemKind::Internal);
        assert_eq!(once_to(&app, key(), async { Ok("done".to_owned()) }).await.unwrap(), "done");
    }

    #[tokio::test]
    async fn a_claim_of_a_dead_process_ends_by_itself() {
        let Setting { _folder, app, person, .. } = Setting::new().await;
        let form = Uuid::new_v4().to_string();
        let key = || FormKey::new(person, &form, "test", &[], FIELDS_KEPT);
        let (began, dead) = (Timestamp::now() - CLAIM, key().unwrap());
        let claimed = app.store.claim_form_action(&dead.key, person, began + CLAIM, began).await.unwrap();
        assert_eq!(claimed, FormAction::Claimed);
        assert_eq!(once_to(&app, key(), async { Ok("done".to_owned()) }).await.unwrap(), "done");
    }
}
