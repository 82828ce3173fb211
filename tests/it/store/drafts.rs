//! Drafts: whose they are, revisions, the trigger.

use dyno::domain::list::ListQuery;
use dyno::domain::workflow::Draft;
use dyno::store::StoreError;

use super::samples::{at, benchmark, draft, new_run, store};

#[tokio::test]
async fn a_draft_is_its_owners() {
    let (_folder, store, [admin, anna, bert]) = store().await;
    let mine = draft(&anna, "mine");
    store.insert_workflow(&mine).await.unwrap();
    assert_eq!(store.workflow(&anna, mine.id).await.unwrap(), mine);
    assert_eq!(store.workflow(&admin, mine.id).await.unwrap(), mine);
    // Another person's answers as one that does not exist.
    for id in [mine.id, uuid::Uuid::now_v7()] {
        assert!(matches!(store.workflow(&bert, id).await, Err(StoreError::NotFound("workflow"))));
        assert!(matches!(store.delete_workflow(&bert, id).await, Err(StoreError::NotFound("workflow"))));
    }
    assert_eq!(store.workflows(&bert, true).await.unwrap(), []);
    assert_eq!(store.workflows(&anna, true).await.unwrap(), std::slice::from_ref(&mine));
    store.delete_workflow(&anna, mine.id).await.unwrap();
    assert_eq!(store.workflows(&anna, false).await.unwrap(), []);
}

#[tokio::test]
async fn a_save_needs_the_revision_that_it_was_made_from() {
    let (_folder, store, [_, anna, _]) = store().await;
    let first = draft(&anna, "first");
    store.insert_workflow(&first).await.unwrap();
    let named = |name: &str| {
        let mut draft = Draft { revision: 2, updated_at: at(9), ..first.clone() };
        name.clone_into(&mut draft.steps.name);
        draft
    };
    let second = named("second");
    store.save_workflow(&second, 1).await.unwrap();
    assert_eq!(store.workflow(&anna, first.id).await.unwrap(), second);
    assert!(matches!(store.save_workflow(&named("late"), 1).await, Err(StoreError::Stale)));
    assert_eq!(store.workflow(&anna, second.id).await.unwrap().steps.name, "second");
}

#[tokio::test]
async fn of_many_triggers_at_once_one_starts_a_run() {
    let (_folder, store, [_, anna, _]) = store().await;
    let ready = draft(&anna, "ready");
    store.insert_workflow(&ready).await.unwrap();
    let tries = (0..8).map(|_| {
        let (store, ready, anna) = (store.clone(), ready.clone(), anna.clone());
        tokio::spawn(async move {
            let frozen = benchmark(&anna, "ready", Some(ready.id));
            let run = new_run(&frozen, &anna, 3);
            store.trigger_workflow(&Draft { revision: 2, ..ready }, 1, &frozen, &run).await.is_ok()
        })
    });
    let mut started = 0;
    for one in tries.collect::<Vec<_>>() {
        started += usize::from(one.await.unwrap());
    }
    assert_eq!(started, 1);
    assert_eq!(store.runs(&anna, &ListQuery::default()).await.unwrap().total, 1);
    let done = store.workflow(&anna, ready.id).await.unwrap();
    assert!(done.run_id.is_some() && done.benchmark_id.is_some());
    assert_eq!(store.run(&anna, done.run_id.unwrap()).await.unwrap().status, dyno_measure::run::RunStatus::Queued);
    assert_eq!(store.workflows(&anna, true).await.unwrap(), [], "no longer a draft");
    assert!(matches!(store.save_workflow(&Draft { revision: 3, ..done }, 2).await, Err(StoreError::Stale)));
}
