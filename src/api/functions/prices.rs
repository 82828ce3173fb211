//! Prices of devices, as the settings' page sets them.

use leptos::prelude::*;

use super::{CallError, forms, lists};
use crate::domain::problem::Problem;

/// Sets the price of a device.
#[server(endpoint = "ui/price-set")]
pub async fn set_price(
    #[server(default)] device: String,
    #[server(default)] per_hour: String,
    #[server(default)] currency: String,
) -> Result<(), CallError> {
    let set = async {
        let (app, actor) = crate::auth::context()?;
        // What is no number is refused by the same rule as what is out of bounds.
        let number = per_hour.trim().parse().unwrap_or(f64::NAN);
        let price = crate::api::calls::prices::set(&app, &actor, &device, number, &currency).await?;
        Ok::<_, Problem>(("/settings".to_owned(), format!("The price of {} was set.", price.device)))
    };
    let entries = forms::entries(&[("device", &device), ("per_hour", &per_hour), ("currency", &currency)]);
    lists::done(set.await, "/settings", entries).await
}

#[server(endpoint = "ui/price-delete")]
pub async fn delete_price(#[server(default)] id: String) -> Result<(), CallError> {
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::prices::delete(&app, &actor, lists::id_of(&id, "price")?).await?;
        Ok::<_, Problem>(("/settings".to_owned(), "The price was removed.".to_owned()))
    };
    lists::done(deleted.await, "/settings", Vec::new()).await
}
