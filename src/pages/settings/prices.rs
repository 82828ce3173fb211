//! Prices of devices: everybody sees them, administrators set them.

use leptos::prelude::*;
use server_fn::ServerFn;

use crate::api::functions::prices::{DeletePrice, SetPrice};
use crate::components::banner::Empty;
use crate::components::button::{Look, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::field::{TextField, Width};
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::form::Flash;
use crate::domain::price::{DevicePrice, amount_words};
use crate::simulation::known_devices;

/// Prices: list, set, remove.
#[component]
pub fn Prices(prices: Vec<DevicePrice>, administrator: bool, flash: Flash) -> impl IntoView {
    let currency = prices.first().map(|price| price.currency.clone()).unwrap_or_default();
    let list = if prices.is_empty() {
        view! { <Empty message="No device has a price: nothing is ranked by cost." /> }.into_any()
    } else {
        let mut columns = vec![Column::text("Device"), Column::figures("Per hour"), Column::text("Set")];
        if administrator {
            columns.push(Column::text("Remove"));
        }
        view! {
            <DataTable caption="Prices of devices" caption_hidden=true columns=columns blocks=true>
                {prices.into_iter().map(|price| row(price, administrator)).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    let form = administrator.then(|| {
        let offers: Vec<String> = known_devices().map(str::to_owned).collect();
        view! {
            <form class="form-inline" method="post" action=SetPrice::url() novalidate>
                <div class="field-wide">
                    <TextField
                        name="device"
                        label="Device"
                        autocomplete="off"
                        offers=offers
                        value=flash.value("device", "")
                        error=flash.error("device")
                    />
                </div>
                <TextField
                    name="per_hour"
                    label="Price per hour"
                    autocomplete="off"
                    width=Width::Short
                    value=flash.value("per_hour", "")
                    error=flash.error("per_hour")
                />
                <TextField
                    name="currency"
                    label="Currency"
                    autocomplete="off"
                    width=Width::Short
                    value=flash.value("currency", currency)
                    error=flash.error("currency")
                />
                <Submit text="Set price" />
            </form>
        }
    });
    view! {
        <section class="stack" aria-labelledby="prices">
            <h2 id="prices">"Prices of devices"</h2>
            <p class="muted">
                "What one device costs for an hour. With it, layouts are ranked by the cost of output tokens, and a benchmark says what its run will cost. All prices are in one currency."
            </p>
            {list}
            {form}
        </section>
    }
}

fn row(price: DevicePrice, administrator: bool) -> AnyView {
    let remove = administrator.then(|| {
        view! {
            <td>
                <ConfirmForm
                    action=DeletePrice::url()
                    text="Remove"
                    about=price.device.clone()
                    sentence="Nothing is ranked by its cost from then on."
                    fields=vec![("id", price.id.to_string())]
                    look=Look::Small
                />
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row">{price.device.clone()}</th>
            <td class="numeric" data-label="Per hour">{amount_words(price.per_hour, &price.currency)}</td>
            <td data-label="Set"><Time at=price.set_at /></td>
            {remove}
        </tr>
    }
    .into_any()
}
