//! Figures of devices: everybody sees what is stated, administrators state it.

use dyno_measure::words::plain;
use leptos::prelude::*;
use server_fn::ServerFn;

use crate::api::functions::device_specifications::{DeleteDeviceSpecification, SetDeviceSpecification};
use crate::components::banner::Empty;
use crate::components::button::{Look, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::field::{TextField, Width};
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::device_specification::{DeviceFigures, DeviceSpecification};
use crate::domain::form::Flash;
use crate::simulation::{data_sheet, known_devices};

/// Figures of devices: list, set, remove.
#[component]
pub fn Devices(specifications: Vec<DeviceSpecification>, administrator: bool, flash: Flash) -> impl IntoView {
    let list = if specifications.is_empty() {
        view! { <Empty message="Nothing is stated: devices go by their data sheets, and by what their nodes say." /> }.into_any()
    } else {
        let mut columns = vec![
            Column::text("Device"),
            Column::figures("TFLOPS at 16 bits"),
            Column::figures("TFLOPS at 8 bits"),
            Column::figures("TFLOPS at 4 bits"),
            Column::figures("Memory, GiB"),
            Column::figures("Bandwidth, GB/s"),
            Column::figures("Link, GB/s"),
            Column::text("By data sheet"),
            Column::text("Set"),
        ];
        if administrator {
            columns.push(Column::text("Remove"));
        }
        view! {
            <DataTable caption="Stated figures of devices" caption_hidden=true columns=columns blocks=true>
                {specifications.into_iter().map(|specification| row(specification, administrator)).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <section class="stack device-figures" aria-labelledby="devices">
            <h2 id="devices">"Devices"</h2>
            <p class="muted">
                "What a device can do at most, for simulations: of devices without a data sheet here, or in place of it. A device is named as its cluster's page names it. Figures are those of one device, of a processor those of the whole machine, without sparsity. Where a node tells its device's memory, that counts."
            </p>
            {list}
            {administrator.then(|| view! { <DeviceForm flash=flash /> })}
        </section>
    }
}

#[component]
fn DeviceForm(flash: Flash) -> impl IntoView {
    let offers: Vec<String> = known_devices().map(str::to_owned).collect();
    let figure = |name: &'static str, label: &'static str| {
        view! {
            <TextField
                name=name
                label=label
                autocomplete="off"
                width=Width::Short
                value=flash.value(name, "")
                error=flash.error(name)
            />
        }
    };
    view! {
        <form class="form-inline" method="post" action=SetDeviceSpecification::url() novalidate>
            <div class="field-wide">
                <TextField
                    name="specified_device"
                    label="Device"
                    autocomplete="off"
                    offers=offers
                    value=flash.value("specified_device", "")
                    error=flash.error("specified_device")
                />
            </div>
            {figure("peak_fp16_tflops", "TFLOPS at 16 bits")}
            {figure("peak_fp8_tflops", "TFLOPS at 8 bits (optional)")}
            {figure("peak_fp4_tflops", "TFLOPS at 4 bits (optional)")}
            {figure("memory_gib", "Memory, GiB")}
            {figure("memory_bandwidth_gbps", "Bandwidth, GB/s")}
            {figure("link_bandwidth_gbps", "Link, GB/s (optional)")}
            <Submit text="State figures" />
        </form>
    }
}

fn row(specification: DeviceSpecification, administrator: bool) -> AnyView {
    let DeviceSpecification { id, device, figures, set_at } = specification;
    let sheet = data_sheet(&device).map_or_else(|| "none".to_owned(), in_words);
    let sentence = "Simulations go by its data sheet from then on, or by what its node says.";
    let remove = administrator.then(|| {
        view! {
            <td>
                <ConfirmForm
                    action=DeleteDeviceSpecification::url()
                    text="Remove"
                    about=device.clone()
                    sentence=sentence
                    fields=vec![("id", id.to_string())]
                    look=Look::Small
                />
            </td>
        }
    });
    let optional = |figure: Option<f64>| figure.map_or_else(|| "not stated".to_owned(), plain);
    view! {
        <tr>
            <th scope="row">{device.clone()}</th>
            <td class="numeric" data-label="TFLOPS at 16 bits">{plain(figures.peak_fp16_tflops)}</td>
            <td class="numeric" data-label="TFLOPS at 8 bits">{optional(figures.peak_fp8_tflops)}</td>
            <td class="numeric" data-label="TFLOPS at 4 bits">{optional(figures.peak_fp4_tflops)}</td>
            <td class="numeric" data-label="Memory, GiB">{plain(figures.memory_gib)}</td>
            <td class="numeric" data-label="Bandwidth, GB/s">{plain(figures.memory_bandwidth_gbps)}</td>
            <td class="numeric" data-label="Link, GB/s">{optional(figures.link_bandwidth_gbps)}</td>
            <td data-label="By data sheet">{sheet}</td>
            <td data-label="Set"><Time at=set_at /></td>
            {remove}
        </tr>
    }
    .into_any()
}

fn in_words(figures: DeviceFigures) -> String {
    let DeviceFigures { peak_fp16_tflops, memory_gib, memory_bandwidth_gbps, .. } = figures;
    let mut words =
        format!("{} TFLOPS, {} GiB, {} GB/s", plain(peak_fp16_tflops), plain(memory_gib), plain(memory_bandwidth_gbps));
    let optional = [
        (figures.link_bandwidth_gbps, "link ", "GB/s"),
        (figures.peak_fp8_tflops, "", "TFLOPS at 8 bits"),
        (figures.peak_fp4_tflops, "", "TFLOPS at 4 bits"),
    ];
    for (figure, before, unit) in optional {
        if let Some(figure) = figure {
            words.push_str(&format!(", {before}{} {unit}", plain(figure)));
        }
    }
    words
}
