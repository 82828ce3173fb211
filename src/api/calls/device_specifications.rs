//! What is stated of devices: everybody reads it, administrators state it.

use uuid::Uuid;

use super::now;
use crate::domain::device_specification::{DeviceFigures, DeviceSpecification, specification_errors};
use crate::domain::list::Page;
use crate::domain::problem::{FieldError, Problem};
use crate::domain::user::Actor;
use crate::simulation::{ambiguous_device, specified_name};
use crate::state::AppState;
use dyno_measure::words::one_of;

/// Told to everybody else.
const REFUSAL: &str = "Only administrators state the figures of devices.";

pub async fn list(app: &AppState) -> Result<Page<DeviceSpecification>, Problem> {
    let items = app.store.device_specifications().await?;
    Ok(Page { total: items.len() as u64, items })
}

/// States the figures of a device in place of earlier ones.
pub async fn set(app: &AppState, actor: &Actor, device: &str, figures: &DeviceFigures) -> Result<DeviceSpecification, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let device = device.trim();
    let mut errors = specification_errors(device, figures);
    if let Some(meant) = ambiguous_device(device) {
        errors.push(("device", format!("{device} may be {}. Name one of them.", one_of(&meant))));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors.into_iter().map(|(field, message)| FieldError::new(field, message)).collect()));
    }
    let specification = app.store.put_device_specification(&specified_name(device), figures, now()).await?;
    tracing::info!(user.id = %actor.id, device = %specification.device, "a device's figures were stated");
    Ok(specification)
}

pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    actor.must_be_administrator(REFUSAL)?;
    app.store.delete_device_specification(id).await?;
    tracing::info!(user.id = %actor.id, specification.id = %id, "what was stated of a device was removed");
    Ok(())
}
