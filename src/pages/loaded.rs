//! A page that waits for its data.

use leptos::prelude::*;

use crate::api::functions::CallError;
use crate::components::failure::Failure;

/// Draws a page once its data is there; where it can't be had, the error in its place.
pub fn loaded<T, V>(data: Resource<Result<T, CallError>>, draw: impl Fn(T) -> V + Copy + Send + 'static) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match data.await {
                    Ok(data) => draw(data).into_any(),
                    Err(error) => view! { <Failure error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
}
