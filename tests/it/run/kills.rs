//! `kill -9` of each process while the load is on: nothing is lost, nothing is left.

use serde_json::json;

use super::world::{DYNO, Portal, signal};
use super::{ENGINE, reason, stage};

/// Requests that a run of these tests never gets through.
const MANY: u32 = 20_000;

#[tokio::test]
async fn a_run_outlives_its_portal() {
    let mut portal = Portal::start().await;
    let run = portal.run(300, ENGINE).await;
    portal.under_load(&run).await;
    let seen = portal.look(&run).await["status"].clone();
    assert_eq!(seen, "running");
    portal.kill();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    portal.start_again().await;
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    assert_eq!(portal.report(&run).await["summary"]["successful_requests"], 300);
    assert_eq!(portal.client.get(&format!("/api/v1/runs/{run}/requests")).await.expect(200)["total"], 304);
    // Numbered without a gap or a double, whoever told them.
    let ids = portal.event_ids(&run, 0).await;
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>());
    assert_eq!(portal.event_ids(&run, 5).await, (6..=ids.len() as i64).collect::<Vec<_>>());
    portal.nothing_left().await;
}

#[tokio::test]
async fn without_its_portal_a_run_ends_by_itself() {
    let mut portal = Portal::start().await;
    let run = portal.run(100, ENGINE).await;
    portal.under_load(&run).await;
    let said = portal.terminate();
    assert!(said.contains(&format!("Run {run} goes on by itself")), "{said}");
    portal.nothing_left().await;
    portal.start_again().await;
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
}

#[tokio::test]
async fn a_killed_load_leaves_what_it_measured() {
    let portal = Portal::start().await;
    let run = portal.run(MANY, ENGINE).await;
    portal.under_load(&run).await;
    signal(portal.pid(&run, "load").await, "KILL");
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "partial", "{ended:#}");
    assert!(reason(&ended).starts_with("The load process stopped (exit 137) after "), "{ended:#}");
    assert!(portal.report(&run).await["summary"]["successful_requests"].as_u64().unwrap() > 0);
    portal.nothing_left().await;
}

#[tokio::test]
async fn a_killed_engine_ends_the_run() {
    let portal = Portal::start().await;
    let run = portal.run(MANY, ENGINE).await;
    portal.under_load(&run).await;
    signal(portal.pid(&run, "engine-0").await, "KILL");
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "partial", "{ended:#}");
    assert!(reason(&ended).starts_with("Engine stopped (exit 137) after "), "{ended:#}");
    assert_eq!((stage(&ended, "run_performance_benchmark"), stage(&ended, "clean_up")), ("failed", "succeeded"));
    portal.nothing_left().await;
}

#[tokio::test]
async fn a_killed_keeper_takes_engine_and_load_along() {
    let portal = Portal::start().await;
    let run = portal.run(MANY, ENGINE).await;
    portal.under_load(&run).await;
    signal(portal.pid(&run, "keeper").await, "KILL");
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "partial", "{ended:#}");
    assert!(reason(&ended).starts_with("The run's processes were lost after "), "{ended:#}");
    assert_eq!(stage(&ended, "clean_up"), "succeeded");
    portal.nothing_left().await;
}

#[tokio::test]
async fn keeper_and_portal_killed_together() {
    let mut portal = Portal::start().await;
    let run = portal.run(MANY, ENGINE).await;
    portal.under_load(&run).await;
    let keeper = portal.pid(&run, "keeper").await;
    portal.kill();
    signal(keeper, "KILL");
    portal.nothing_left().await;
    portal.start_again().await;
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "interrupted", "{ended:#}");
    assert!(portal.report(&run).await["summary"]["successful_requests"].as_u64().unwrap() > 0);
    assert_eq!(portal.report(&run).await["status"], json!("interrupted"));
}

/// An engine that does not hear SIGTERM, with a child in its group and one in a session of its own.
#[tokio::test]
async fn a_stubborn_engine_is_ended_with_all_that_came_of_it() {
    let script =
        format!("trap '' TERM; sleep 900 & setsid sleep 901 & {DYNO} engine --listen 127.0.0.1:$1 --model $2 & wait; wait");
    let engine = ["sh", "-c", &script, "engine", "{port}", "{alias}"];
    let portal = Portal::start().await;
    let run = portal.run(MANY, &engine).await;
    portal.under_load(&run).await;
    let left = portal.left();
    for expected in ["keeper", "sh -c", "dyno engine", "sleep 900", "sleep 901", "dyno load"] {
        assert!(left.iter().any(|line| line.contains(expected)), "no {expected}: {left:#?}");
    }
    signal(portal.pid(&run, "keeper").await, "KILL");
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "partial", "{ended:#}");
    portal.nothing_left().await;
}

#[tokio::test]
async fn a_killed_guard_leaves_nothing_either() {
    let portal = Portal::start().await;
    let run = portal.run(MANY, ENGINE).await;
    portal.under_load(&run).await;
    let engine = portal.pid(&run, "engine-0").await;
    let stat = std::fs::read_to_string(format!("/proc/{engine}/stat")).unwrap();
    let guard = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
    signal(guard, "KILL");
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "partial", "{ended:#}");
    portal.nothing_left().await;
}

/// A database beside the portal's own connections, to see how far it is.
async fn records_of(portal: &Portal, run: &str) -> i64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(portal.data_dir().join("dyno.db")).read_only(true);
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let count =
        sqlx::query_scalar("SELECT count(*) FROM request_records WHERE run_id = ?").bind(run).fetch_one(&pool).await.unwrap();
    pool.close().await;
    count
}

#[tokio::test]
async fn a_portal_killed_while_it_takes_records_over() {
    let mut portal = Portal::start().await;
    let run = portal.run(100, ENGINE).await;
    portal.under_load(&run).await;
    portal.kill();
    // Without the portal the run goes to its end, with all of its records in a file.
    portal.nothing_left().await;
    let file = portal.folder(&run).join("requests.ndjson");
    let written = std::fs::read_to_string(&file).unwrap();
    let template = written.lines().last().unwrap();
    let id = serde_json::from_str::<serde_json::Value>(template).unwrap()["id"].as_str().unwrap().to_owned();
    // So many that they are not taken over within one look.
    let total = 60_000;
    let mut many = written.clone();
    for number in written.lines().count()..total {
        many.push_str(&template.replace(&id, &format!("{id}-{number}")));
        many.push('\n');
    }
    std::fs::write(&file, many).unwrap();

    portal.start_again().await;
    let mut kills = 0;
    let mut before = 0;
    while kills < 3 {
        let count = records_of(&portal, &run).await;
        if count > before && (count as usize) < total {
            portal.kill();
            kills += 1;
            before = records_of(&portal, &run).await;
            portal.start_again().await;
        } else if count as usize == total {
            break;
        }
    }
    assert!(kills > 0, "it was through before it could be killed");
    let ended = portal.end(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    let found = portal.client.get(&format!("/api/v1/runs/{run}/requests?page_size=1")).await.expect(200);
    assert_eq!(found["total"], total, "none is lost, none is there twice");
    let lines = portal.client.get(&format!("/api/v1/runs/{run}/requests?format=csv")).await;
    let ids: std::collections::HashSet<&str> =
        lines.body.as_str().unwrap().lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids.len(), total);
    let ids = portal.event_ids(&run, 0).await;
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>());
}
