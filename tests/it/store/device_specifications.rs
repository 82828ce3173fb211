//! Specifications of devices.

use dyno::domain::device_specification::DeviceFigures;
use dyno::store::StoreError;

use super::samples::{at, store};

const X1: DeviceFigures = DeviceFigures {
    peak_fp16_tflops: 400.5,
    memory_gib: 79.6,
    memory_bandwidth_gbps: 2_000.0,
    link_bandwidth_gbps: None,
    peak_fp8_tflops: None,
    peak_fp4_tflops: None,
};

#[tokio::test]
async fn a_specification_is_set_replaced_and_removed() {
    let (_folder, store, _) = store().await;
    assert_eq!(store.device_specifications().await.unwrap(), []);
    let x1 = store.put_device_specification("Acme X1", &X1, at(1)).await.unwrap();
    assert_eq!((x1.device.as_str(), x1.figures, x1.set_at), ("Acme X1", X1, at(1)));
    let linked =
        DeviceFigures { link_bandwidth_gbps: Some(64.0), peak_fp8_tflops: Some(801.0), peak_fp4_tflops: Some(1_602.5), ..X1 };
    let a2 = store.put_device_specification("A2", &linked, at(2)).await.unwrap();
    assert_eq!(a2.figures, linked);
    assert_eq!(store.device_specifications().await.unwrap(), [a2.clone(), x1.clone()]);
    // the same device, however it is written; what is not stated any more is gone
    let again = store.put_device_specification("a2", &X1, at(3)).await.unwrap();
    assert_eq!((again.id, again.figures, again.set_at), (a2.id, X1, at(3)));
    store.delete_device_specification(x1.id).await.unwrap();
    assert_eq!(store.device_specifications().await.unwrap(), [again]);
    let gone = store.delete_device_specification(x1.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound("device specification"))), "{gone:?}");
}
