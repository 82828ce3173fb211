//! Names that look alike: of clusters and of people there is one each.

use dyno::domain::inventory::{Cluster, ClusterAccess};
use dyno::domain::kubernetes::KubernetesAccess;
use dyno::domain::user::Role;
use dyno::store::StoreError;
use jiff::SignedDuration;

use super::samples::{at, store};

/// Look like `Größe one` to whoever reads them in a list.
const ALIKE: [&str; 8] = [
    "Größe one",
    "größe one",
    "GRÖẞE ONE",
    "Größe \u{a0} one",
    "Gro\u{308}ße one",
    "GRÖSSE ONE",
    "Größe \u{ff4f}ne",
    "Größe\u{fe0f} one",
];

fn cluster(name: &str) -> Cluster {
    Cluster {
        id: uuid::Uuid::now_v7(),
        name: name.to_owned(),
        access: ClusterAccess::Kubernetes(KubernetesAccess::default()),
        owner: None,
        created_at: at(0),
    }
}

#[tokio::test]
async fn clusters_have_names_that_differ() {
    let (_folder, store, [admin, ..]) = store().await;
    let first = cluster(ALIKE[0]);
    store.save_cluster(&first, None).await.unwrap();
    for name in ALIKE {
        assert!(matches!(store.save_cluster(&cluster(name), None).await, Err(StoreError::Conflict(_))), "{name}");
        // it may be written otherwise
        store.save_cluster(&Cluster { name: name.to_owned(), ..first.clone() }, None).await.unwrap();
    }
    store.save_cluster(&cluster("Größeone"), None).await.unwrap();
    store.remove_cluster(&admin, first.id).await.unwrap();
    store.save_cluster(&cluster(ALIKE[1]), None).await.unwrap();
}

#[tokio::test]
async fn people_have_names_that_differ() {
    let (_folder, store, [_, anna, _]) = store().await;
    let taken = |error: &StoreError| matches!(error, StoreError::Invalid { field: "name", .. });
    store.create_user(ALIKE[0], Role::Member, at(0)).await.unwrap();
    for (number, name) in ALIKE.into_iter().enumerate() {
        let refused = store.create_user(name, Role::Member, at(0)).await.unwrap_err();
        assert!(taken(&refused), "{name}: {refused}");
        let link = [number as u8];
        store.create_link(&link, anna.id, at(0), at(0) + SignedDuration::from_hours(1)).await.unwrap();
        let refused = store.use_link(&link, Some(name), "hash", at(1)).await.unwrap_err();
        assert!(taken(&refused), "{name}: {refused}");
        // the link was not used up by that, and one's own name is free
        assert_eq!(store.use_link(&link, Some("Anna"), "hash", at(1)).await.unwrap().name, "Anna");
    }
}

/// Names that were kept before they were composed, and before look-alikes were told from others.
#[tokio::test]
async fn a_person_signs_in_by_the_name_however_it_is_typed() {
    let (folder, store, [_, member, _]) = store().await;
    let jose = store.create_user("Jose\u{301}", Role::Member, at(0)).await.unwrap();
    for typed in ["Jose\u{301}", "José", "JOSÉ", "jos\u{ff45}\u{301}"] {
        let found = store.user_for_sign_in(typed).await.unwrap();
        assert_eq!(found.map(|(user, _)| user.id), Some(jose.id), "{typed}");
    }
    for other in ["Jose", "Josè", &"é".repeat(100_000)] {
        assert!(store.user_for_sign_in(other).await.unwrap().is_none(), "{other}");
    }
    let anna = store.create_user("José 2", Role::Member, at(0)).await.unwrap();
    assert_eq!(store.user_for_sign_in("José 2").await.unwrap().unwrap().0.id, anna.id);
    store.disable_user(jose.id, at(1)).await.unwrap();
    assert!(store.user_for_sign_in("José").await.unwrap().is_none());

    // of two alike, the one whose name is typed but for capitals
    let pool = sqlx::SqlitePool::connect(&dyno::store::Store::default_url(folder.path())).await.unwrap();
    sqlx::query("INSERT INTO users (id, name, role, created_at) VALUES (?, 'ａnna', 'member', 5)")
        .bind(uuid::Uuid::now_v7().to_string())
        .execute(&pool)
        .await
        .unwrap();
    for typed in ["anna", "Anna", "ANNA"] {
        assert_eq!(store.user_for_sign_in(typed).await.unwrap().unwrap().0.id, member.id, "{typed}");
    }
    assert_ne!(store.user_for_sign_in("ａnna").await.unwrap().unwrap().0.id, member.id);
    assert!(store.user_for_sign_in("Ａnna").await.unwrap().is_none(), "it may be either");
}
