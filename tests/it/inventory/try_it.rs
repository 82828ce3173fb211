//! `/try-it`: who may, and what is said before it is asked for. The whole of it downloads 130 MB, and is walked in the
//! browser tests.

use super::*;

#[tokio::test]
async fn only_administrators_install_programs() {
    let house = House::open().await.with_member().await;
    let (status, offer) = house.get("try-it").await;
    assert_eq!((status.as_u16(), offer["state"].as_str()), (200, Some("idle")));
    assert_eq!(offer["steps"].as_array().unwrap().len(), 4);
    assert!(offer["by_hand"].to_string().contains("pip install xllamacpp=="));
    for method in [Method::GET, Method::POST] {
        assert_eq!(house.send(MEMBER, method, "try-it", None).await.0, 403);
    }
    assert_eq!(house.get("try-it").await.1["state"], "idle");
}
