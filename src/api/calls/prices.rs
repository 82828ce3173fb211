//! What an hour of a device costs: everybody reads it, administrators set it.

use uuid::Uuid;

use super::now;
use crate::domain::list::Page;
use crate::domain::price::{DevicePrice, price_errors};
use crate::domain::problem::{FieldError, Problem};
use crate::domain::user::Actor;
use crate::simulation::{ambiguous_device, device_name};
use crate::state::AppState;
use dyno_measure::words::one_of;

/// Told to everybody else.
const REFUSAL: &str = "Only administrators set prices.";

pub async fn list(app: &AppState) -> Result<Page<DevicePrice>, Problem> {
    let items = app.store.device_prices().await?;
    Ok(Page { total: items.len() as u64, items })
}

/// Sets the price of a device in place of an earlier one.
pub async fn set(app: &AppState, actor: &Actor, device: &str, per_hour: f64, currency: &str) -> Result<DevicePrice, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let (device, currency) = (device.trim(), currency.trim());
    let mut errors = price_errors(device, per_hour, currency);
    // what is too long is not repeated
    if errors.iter().all(|(field, _)| *field != "device")
        && let Some(meant) = ambiguous_device(device)
    {
        errors.push(("device", format!("{device} may be {}. Name one of them.", one_of(&meant))));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors.into_iter().map(|(field, message)| FieldError::new(field, message)).collect()));
    }
    let price = app.store.put_device_price(&device_name(device), per_hour, currency, now()).await?;
    tracing::info!(user.id = %actor.id, device = %price.device, price.per_hour, price.currency, "a device's price was set");
    Ok(price)
}

pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    actor.must_be_administrator(REFUSAL)?;
    app.store.delete_device_price(id).await?;
    tracing::info!(user.id = %actor.id, price.id = %id, "a device's price was removed");
    Ok(())
}
