//! Pages, whichever threads they are made on.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use dyno::server::router;
use tower::ServiceExt;

use super::world::{WORKFLOW, World, in_workflow};
use crate::support::{ADMIN_TOKEN, page_routes};

/// Reads a body on a thread and a runtime of its own.
fn read_elsewhere(path: &str, body: Body) -> String {
    let reader = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(to_bytes(body, usize::MAX)).unwrap()
    });
    let bytes = reader.join().unwrap_or_else(|_| panic!("{path} broke off"));
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether a path is of a route, whose parts in braces match anything.
fn is_of(path: &str, route: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (path, route): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
    path.len() == route.len() && path.iter().zip(&route).all(|(part, pattern)| pattern.starts_with(['{', ':']) || part == pattern)
}

/// A server with several threads may begin a page on one and finish it on another: what a page keeps for the browser must
/// not mind where it is let go.
#[tokio::test]
async fn a_page_may_be_finished_by_another_thread_than_began_it() {
    let world = World::start().await;
    let (draft, _) = world.confirmed().await;
    let (before, trigger) = world.confirmed().await;
    let run = world.portal.admin.post(WORKFLOW, &in_workflow(&trigger, &before)).await.expect(200);
    let run = run["run_id"].as_str().unwrap();
    let draft = draft["workflow_id"].as_str().unwrap();
    let steps = ["details", "load", "cluster", "nodes", "model", "confirm", "execution", "deployment"];
    let mut paths: Vec<String> = steps.iter().map(|step| format!("/wizard/{draft}/{step}")).collect();
    paths.extend([format!("/runs/{run}"), format!("/runs/{run}/report"), format!("/clusters/{}", world.cluster)]);
    paths.extend([format!("/models/{}", world.local_model), format!("/datasets/{}", world.dataset)]);
    let new = "benchmarks/new?form=0198c0de-0000-4000-8000-000000000001";
    for path in ["", new, "drafts", "clusters", "models", "models/new", "datasets", "datasets/new"] {
        paths.push(format!("/{path}"));
    }
    for path in ["credentials", "credentials/new", "settings", "try", "sign-in", "link/no-such", "no-such"] {
        paths.push(format!("/{path}"));
    }
    for path in ["clusters/new", "clusters/predictions"] {
        paths.push(format!("/{path}"));
    }
    paths.extend([format!("/wizard/{draft}"), format!("/clusters/{}/edit", world.cluster)]);
    let routes = page_routes();
    for route in routes.paths() {
        assert!(paths.iter().any(|path| is_of(path, route)), "no path here is one of {route}");
    }
    let service = router(&world.portal.app, &routes);
    let mut redirected = Vec::new();
    for path in paths {
        let request = Request::get(&path)
            .header("host", "localhost")
            .header("accept", "text/html")
            .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
            .body(Body::empty())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        if response.status().is_redirection() {
            redirected.push(path);
            continue;
        }
        let html = read_elsewhere(&path, response.into_body());
        assert!(html.contains("</main>"), "{path} is not whole: {html}");
    }
    let expected = [format!("/wizard/{draft}/deployment"), format!("/wizard/{draft}")];
    assert_eq!(redirected, expected, "a run is watched on a page of its own; a draft leads to its first page");
}

/// The last step: what is started, what either way of starting it does, and the buttons in one bar, in one order for the eye and
/// the keyboard.
#[tokio::test]
async fn the_ways_to_start_stand_together_with_what_they_start() {
    let world = World::start().await;
    let (draft, _) = world.confirmed().await;
    let path = format!("/wizard/{}/execution", draft["workflow_id"].as_str().unwrap());
    let html = world.portal.admin.request(reqwest::Method::GET, &path).send().await.unwrap().text().await.unwrap();
    let bar = html.split_once("class=\"start-bar\"").expect("a bar").1.split_once("</form>").unwrap().0;
    let sentence = format!("small on {}: ", world.hostname);
    assert!(bar.contains(&sentence), "{bar}");
    let texts = |tag: &str, html: &str| -> Vec<String> {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let parts = html.split(&open).skip(1).filter_map(|part| part.split_once('>')?.1.split_once(&close));
        parts.map(|(text, _)| text.replace("<!>", "").trim().to_owned()).collect()
    };
    let buttons = texts("button", bar);
    assert_eq!(buttons, ["Simulate", "Run on cluster"]);
    let before = html.split_once("id=\"step-form\"").unwrap().1.split_once("class=\"start-bar\"").unwrap().0;
    assert_eq!(texts("h2", before), buttons, "what each does comes before, in the same order");
    assert!(!before.contains("<button"), "{before}");
}
