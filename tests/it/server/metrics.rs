//! What the portal tells Prometheus, and whom it does not name.

use reqwest::Method;

use crate::support::TestApp;

#[tokio::test]
async fn metrics_have_a_port_of_their_own() {
    let app = TestApp::with(|args| args.metrics_addr = Some(([127, 0, 0, 1], 0).into())).await;
    app.admin.get("/api/v1/users").await.expect(200);
    app.nobody().get("/api/v1/users").await.expect(401);
    let address = app.app.config.metrics_addr.unwrap();
    assert_ne!(address.port(), app.app.config.site_addr.port());
    let answer = app.admin.http.get(format!("http://{address}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text().await.unwrap();
    for line in [
        r#"dyno_http_requests_total{method="GET",status="2xx"} 1"#,
        r#"dyno_http_requests_total{method="GET",status="4xx"} 1"#,
        "dyno_http_request_duration_seconds_count 2",
        "dyno_database_up 1",
        r#"dyno_runs{kind="measured",status="running"} 0"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    // Prometheus asks by names that the portal does not know; the portal's own port answers to none of them.
    let by_name = |url: String| app.admin.http.get(url).header("host", "dyno.monitoring.svc:9464").send();
    assert_eq!(by_name(format!("http://{address}/metrics")).await.unwrap().status(), 200);
    assert_eq!(by_name(format!("{}/healthz", app.admin.url)).await.unwrap().status(), 421);
    // Nothing else is there, and on the portal's own port it is nowhere.
    assert_eq!(app.admin.http.get(format!("http://{address}/healthz")).send().await.unwrap().status(), 404);
    assert_eq!(app.admin.request(Method::GET, "/metrics").send().await.unwrap().status(), 404);
    app.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is closed with the portal");
}
