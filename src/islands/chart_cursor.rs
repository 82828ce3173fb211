//! Charts under the pointer: a line across the panels that share an axis, with the figures there, and each chart as a PNG.
//! The figures are those of the chart's table, which is there without WASM as well.

use leptos::prelude::*;

/// Looks after all charts of the page that say where their rows are (`svg[data-at]`).
#[island]
pub fn ChartCursor() -> impl IntoView {
    #[cfg(feature = "browser")]
    in_browser::look_after();
}

#[cfg(feature = "browser")]
mod in_browser {
    use std::cell::RefCell;
    use std::rc::Rc;

    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{
        CanvasRenderingContext2d, Element, Event, HtmlAnchorElement, HtmlCanvasElement, HtmlElement, HtmlImageElement,
    };

    use crate::islands::dom;

    const SVG: &str = "svg[data-at]";
    /// Pixels of a picture for one of the drawing.
    const SCALE: u32 = 2;

    /// A drawing and the row of its table that the cursor is on.
    #[derive(PartialEq)]
    struct CursorPlace {
        drawing: Element,
        row: usize,
    }

    pub fn look_after() {
        let Some(body) = document().body() else { return };
        for drawing in dom::all(&body, SVG) {
            // Attributes of these names are never refused.
            let _ = drawing.set_attribute("tabindex", "0");
        }
        for button in dom::all(&body, "[data-png]") {
            let _ = button.remove_attribute("hidden");
        }
        let place: Rc<RefCell<Option<CursorPlace>>> = Rc::default();
        // These listen as long as the page stands.
        for name in ["pointermove", "pointerdown"] {
            let place = Rc::clone(&place);
            let _ = window_event_listener_untyped(name, move |event| {
                let under =
                    drawing_of(&event).and_then(|drawing| Some(CursorPlace { row: row_under(&drawing, &event)?, drawing }));
                go(&place, under, false);
            });
        }
        let typed = Rc::clone(&place);
        let _ = window_event_listener(leptos::ev::keydown, move |event| {
            let Some(drawing) = drawing_of(&event) else { return };
            let at = numbers(&drawing, "data-at");
            let Some(last) = at.len().checked_sub(1) else { return };
            let row = typed.borrow().as_ref().filter(|place| place.drawing == drawing).map(|place| place.row);
            let next = match event.key().as_str() {
                "ArrowRight" => row.map_or(0, |row| row + 1).min(last),
                "ArrowLeft" => row.map_or(last, |row| row.saturating_sub(1)),
                "Home" => 0,
                "End" => last,
                "Escape" => return go(&typed, None, true),
                _ => return,
            };
            event.prevent_default();
            go(&typed, Some(CursorPlace { drawing, row: next }), true);
        });
        let _ = window_event_listener(leptos::ev::focusout, move |_| go(&place, None, true));
        let _ = window_event_listener(leptos::ev::click, |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            if let Some(button) = target.and_then(|target| target.closest("[data-png]").ok().flatten()) {
                leptos::task::spawn_local(async move {
                    let _ = picture(&button).await;
                });
            }
        });
    }

    fn drawing_of(event: &Event) -> Option<Element> {
        event.target()?.dyn_into::<Element>().ok()?.closest(SVG).ok()?
    }

    /// Whole pixels: fractions would bring their reading and writing into the program.
    fn numbers(drawing: &Element, attribute: &str) -> Vec<i32> {
        let text = drawing.get_attribute(attribute).unwrap_or_default();
        text.split(' ').filter_map(|number| number.parse().ok()).collect()
    }

    /// The row that is nearest to the pointer.
    fn row_under(drawing: &Element, event: &Event) -> Option<usize> {
        let x = f64::from(event.dyn_ref::<web_sys::MouseEvent>()?.client_x());
        let frame = drawing.get_bounding_client_rect();
        let share = (x - frame.left()) / frame.width();
        nearest(&numbers(drawing, "data-at"), (share * f64::from(width(drawing))) as i32)
    }

    fn width(drawing: &Element) -> i32 {
        numbers(drawing, "width").first().copied().unwrap_or_default()
    }

    fn nearest(at: &[i32], x: i32) -> Option<usize> {
        (0..at.len()).min_by_key(|row| (at[*row] - x).abs())
    }

    fn go(place: &RefCell<Option<CursorPlace>>, to: Option<CursorPlace>, by_keyboard: bool) {
        if *place.borrow() == to {
            return;
        }
        if let Some(body) = document().body() {
            for mark in dom::all(&body, ".chart-cursor, .chart-values") {
                mark.remove();
            }
        }
        if let Some(to) = &to {
            let _ = show(to, by_keyboard);
        }
        place.replace(to);
    }

    /// Draws the cursor into the chart and into those that share its axis.
    fn show(place: &CursorPlace, by_keyboard: bool) -> Option<()> {
        let x = *numbers(&place.drawing, "data-at").get(place.row)?;
        let (axis, size) = (place.drawing.get_attribute("data-axis")?, place.drawing.get_attribute("class")?);
        for drawing in dom::all(document().body()?.as_ref(), &format!("{SVG}.{size}")) {
            if drawing.get_attribute("data-axis").as_ref() != Some(&axis) {
                continue;
            }
            let at = numbers(&drawing, "data-at");
            let Some(row) = nearest(&at, x) else { continue };
            let is_own = drawing == place.drawing;
            let _ = draw(&drawing, at[row]);
            let _ = say(&drawing, &at, row, is_own && by_keyboard);
        }
        Some(())
    }

    fn draw(drawing: &Element, x: i32) -> Result<(), JsValue> {
        let line = document().create_element_ns(Some("http://www.w3.org/2000/svg"), "path")?;
        line.set_attribute("class", "chart-cursor")?;
        let span = numbers(drawing, "data-span");
        if let [top, bottom] = span[..] {
            line.set_attribute("d", &format!("M{x} {top}V{bottom}"))?;
        }
        drawing.append_child(&line)?;
        Ok(())
    }

    /// Writes the figures of the row, and of those at the same place, beside the line; read out where the keyboard asks.
    fn say(drawing: &Element, at: &[i32], row: usize, aloud: bool) -> Option<()> {
        let figure = drawing.closest("figure").ok()??;
        let heads: Vec<String> = texts(&figure, "thead th");
        let rows = dom::all(&figure, "tbody tr");
        let mut lines: Vec<String> = Vec::new();
        for same in (0..at.len()).filter(|other| at[*other] == at[row]).filter_map(|other| rows.get(other)) {
            for (head, cell) in heads.iter().zip(texts(same, "td")) {
                let line = format!("{head}: {cell}");
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        let side = if at[row] > width(drawing) / 2 { "chart-values" } else { "chart-values chart-values-right" };
        let values = document().create_element("p").ok()?;
        values.set_class_name(side);
        let _ = if aloud { values.set_attribute("role", "status") } else { values.set_attribute("aria-hidden", "true") };
        figure.append_child(&values).ok()?;
        // After it is there: what a status begins with is not read out.
        values.set_text_content(Some(&lines.join("\n")));
        Some(())
    }

    fn texts(within: &Element, selector: &str) -> Vec<String> {
        dom::all(within, selector).iter().map(|element| element.text_content().unwrap_or_default()).collect()
    }

    /// Draws the chart's SVG file as a picture, and has the browser keep it.
    async fn picture(button: &Element) -> Result<(), JsValue> {
        let Some(figure) = button.closest("figure")? else { return Ok(()) };
        let Some(file) = figure.query_selector("a[download$='.svg']")? else { return Ok(()) };
        let file: HtmlAnchorElement = file.dyn_into()?;
        let image = HtmlImageElement::new()?;
        image.set_src(&file.href());
        wasm_bindgen_futures::JsFuture::from(image.decode()).await?;
        let (width, height) = (image.natural_width() * SCALE, image.natural_height() * SCALE);
        let canvas: HtmlCanvasElement = document().create_element("canvas")?.dyn_into()?;
        canvas.set_width(width);
        canvas.set_height(height);
        let Some(context) = canvas.get_context("2d")? else { return Ok(()) };
        let context: CanvasRenderingContext2d = context.dyn_into()?;
        context.draw_image_with_html_image_element_and_dw_and_dh(&image, 0.0, 0.0, width.into(), height.into())?;
        let link: HtmlAnchorElement = document().create_element("a")?.dyn_into()?;
        link.set_href(&canvas.to_data_url()?);
        link.set_download(&button.get_attribute("data-png").unwrap_or_default());
        link.unchecked_ref::<HtmlElement>().click();
        Ok(())
    }
}
