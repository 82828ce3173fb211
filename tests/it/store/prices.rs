//! Prices of devices.

use dyno::store::StoreError;
use uuid::Uuid;

use super::samples::{at, store};

#[tokio::test]
async fn a_price_is_set_replaced_and_removed() {
    let (_folder, store, _) = store().await;
    let l4 = store.put_device_price("L4-24GB", 0.8, "EUR", at(1)).await.unwrap();
    let h100 = store.put_device_price("H100-SXM-80GB", 2.5, "EUR", at(2)).await.unwrap();
    assert_eq!(store.device_prices().await.unwrap(), [h100.clone(), l4.clone()]);
    // the same device, however it is written
    let again = store.put_device_price("l4-24gb", 0.0, "EUR", at(3)).await.unwrap();
    assert_eq!((again.id, again.per_hour, again.set_at), (l4.id, 0.0, at(3)));
    store.delete_device_price(h100.id).await.unwrap();
    assert_eq!(store.device_prices().await.unwrap(), [again]);
    assert!(matches!(store.delete_device_price(h100.id).await, Err(StoreError::NotFound("price"))));
    assert!(matches!(store.delete_device_price(Uuid::nil()).await, Err(StoreError::NotFound("price"))));
}

#[tokio::test]
async fn prices_are_in_one_currency() {
    let (_folder, store, _) = store().await;
    store.put_device_price("L4-24GB", 0.8, "EUR", at(1)).await.unwrap();
    // that of the only price may change
    let only = store.put_device_price("L4-24GB", 0.9, "USD", at(2)).await.unwrap();
    assert_eq!(only.currency, "USD");
    let refused = store.put_device_price("H100-SXM-80GB", 2.0, "EUR", at(3)).await;
    assert!(matches!(refused, Err(StoreError::Invalid { field: "currency", .. })), "{refused:?}");
    assert_eq!(store.device_prices().await.unwrap(), [only]);
}
