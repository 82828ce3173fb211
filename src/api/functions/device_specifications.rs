//! What is stated of devices, as the settings' page states it.

use leptos::prelude::*;

use super::{CallError, forms, lists};
use crate::domain::device_specification::DeviceFigures;
use crate::domain::problem::Problem;

/// States the figures of a device.
#[server(endpoint = "ui/device-specification-set")]
pub async fn set_device_specification(
    #[server(default)] specified_device: String,
    #[server(default)] peak_fp16_tflops: String,
    #[server(default)] memory_gib: String,
    #[server(default)] memory_bandwidth_gbps: String,
    #[server(default)] link_bandwidth_gbps: String,
    #[server(default)] peak_fp8_tflops: String,
    #[server(default)] peak_fp4_tflops: String,
) -> Result<(), CallError> {
    // What is no number is refused by the same rule as what is out of bounds.
    let number = |typed: &str| typed.trim().parse().unwrap_or(f64::NAN);
    let optional = |typed: &str| (!typed.trim().is_empty()).then(|| number(typed));
    let figures = DeviceFigures {
        peak_fp16_tflops: number(&peak_fp16_tflops),
        memory_gib: number(&memory_gib),
        memory_bandwidth_gbps: number(&memory_bandwidth_gbps),
        link_bandwidth_gbps: optional(&link_bandwidth_gbps),
        peak_fp8_tflops: optional(&peak_fp8_tflops),
        peak_fp4_tflops: optional(&peak_fp4_tflops),
    };
    let set = async {
        let (app, actor) = crate::auth::context()?;
        let set = crate::api::calls::device_specifications::set(&app, &actor, &specified_device, &figures).await;
        let specification = set.map_err(at_own_field)?;
        Ok::<_, Problem>(("/settings".to_owned(), format!("The figures of {} were stated.", specification.device)))
    };
    let entries = forms::entries(&[
        ("specified_device", &specified_device),
        ("peak_fp16_tflops", &peak_fp16_tflops),
        ("memory_gib", &memory_gib),
        ("memory_bandwidth_gbps", &memory_bandwidth_gbps),
        ("link_bandwidth_gbps", &link_bandwidth_gbps),
        ("peak_fp8_tflops", &peak_fp8_tflops),
        ("peak_fp4_tflops", &peak_fp4_tflops),
    ]);
    lists::done(set.await, "/settings", entries).await
}

/// The form for prices on the same page has a field `device`, too.
fn at_own_field(mut problem: Problem) -> Problem {
    for error in problem.errors.iter_mut().filter(|error| error.field == "device") {
        "specified_device".clone_into(&mut error.field);
    }
    problem
}

#[server(endpoint = "ui/device-specification-delete")]
pub async fn delete_device_specification(#[server(default)] id: String) -> Result<(), CallError> {
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::device_specifications::delete(&app, &actor, lists::id_of(&id, "device specification")?).await?;
        Ok::<_, Problem>(("/settings".to_owned(), "What was stated of the device was removed.".to_owned()))
    };
    lists::done(deleted.await, "/settings", Vec::new()).await
}
