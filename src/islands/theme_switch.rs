//! The theme: light, dark, or the system's. The choice is a cookie, so that the server renders the right theme at once.

use leptos::prelude::*;

/// The switch. Without WASM its form is submitted, and the page reloads in the other theme.
#[island]
pub fn ThemeSwitch(
    /// The address that the choice is posted to.
    action: String,
    /// `light` or `dark`; empty: the system's.
    chosen: String,
) -> impl IntoView {
    let current = RwSignal::new(chosen);
    let address = action.clone();
    let choose = move |event: leptos::ev::MouseEvent, theme: &'static str| {
        event.prevent_default();
        #[cfg(feature = "browser")]
        send(address.clone(), theme, current);
        #[cfg(not(feature = "browser"))]
        let _ = (&address, theme, current);
    };
    view! {
        <form method="post" action=action>
            <div class="theme-switch" role="group" aria-label="Theme">
                {[("", "Auto"), ("light", "Light"), ("dark", "Dark")]
                    .map(|(value, text)| {
                        let choose = choose.clone();
                        view! {
                            <button
                                type="submit"
                                name="theme"
                                value=value
                                aria-pressed=move || if current.with(|current| current == value) { "true" } else { "false" }
                                on:click=move |event| choose(event, value)
                            >
                                {text}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
        </form>
    }
}

/// Posts the choice, and applies it once it is stored.
#[cfg(feature = "browser")]
fn send(address: String, theme: &'static str, current: RwSignal<String>) {
    leptos::task::spawn_local(async move {
        let request = gloo_net::http::Request::post(&address)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(format!("theme={theme}"));
        let Ok(request) = request else { return };
        if request.send().await.is_ok_and(|answer| answer.ok())
            && let Some(root) = document().document_element()
        {
            current.set(theme.to_owned());
            // can't fail: the attribute's name is valid
            let _ = if theme.is_empty() { root.remove_attribute("data-theme") } else { root.set_attribute("data-theme", theme) };
        }
    });
}
