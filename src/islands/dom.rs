//! DOM helpers: finding elements, and updating server-rendered parts without losing what the reader has opened, focused or
//! scrolled.

use leptos::prelude::document;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, HtmlElement, Node};

/// An element of the page.
pub fn by_id(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Shows or hides an element.
pub fn show(id: &str, shown: bool) {
    if let Some(element) = by_id(id) {
        element.set_hidden(!shown);
    }
}

/// The descendants that match a selector.
pub fn all(within: &Element, selector: &str) -> Vec<Element> {
    let Ok(found) = within.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.get(index)?.dyn_into().ok()).collect()
}

pub fn parse(html: &str) -> Option<Document> {
    web_sys::DomParser::new().ok()?.parse_from_string(html, web_sys::SupportedType::TextHtml).ok()
}

pub async fn sleep(ms: i32) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        // setting a timer can't fail
        let _ = leptos::prelude::window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms);
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// Updates the content of an element to new HTML.
pub fn update(target: &Element, html: &str) {
    let Ok(fresh) = document().create_element(&target.tag_name()) else { return };
    fresh.set_inner_html(html);
    // can't fail: nodes are moved within their own document
    let _ = update_children(target, &fresh);
}

/// Keeps matching nodes in place: nodes with an id match by id, others by order and kind.
fn update_children(target: &Node, fresh: &Node) -> Result<(), JsValue> {
    remove_gone(target, fresh)?;
    let mut place = target.first_child();
    let mut following = fresh.first_child();
    while let Some(new) = following {
        following = new.next_sibling();
        match counterpart(place.as_ref(), &new) {
            Some(kept) => {
                if place.as_ref() == Some(&kept) {
                    place = kept.next_sibling();
                } else {
                    target.insert_before(&kept, place.as_ref())?;
                }
                update_node(&kept, &new)?;
            }
            None => {
                target.insert_before(&new, place.as_ref())?;
            }
        }
    }
    while let Some(old) = place {
        place = old.next_sibling();
        target.remove_child(&old)?;
    }
    Ok(())
}

/// Removes elements whose id is gone before anything is moved: a node that moves up would otherwise be removed and inserted
/// again, and lose its focus and open state.
fn remove_gone(target: &Node, fresh: &Node) -> Result<(), JsValue> {
    let mut ids: Vec<String> = Vec::new();
    let mut new = fresh.first_child();
    while let Some(node) = new {
        ids.push(id_of(&node));
        new = node.next_sibling();
    }
    let mut old = target.first_child();
    while let Some(node) = old {
        old = node.next_sibling();
        let id = id_of(&node);
        if !id.is_empty() && !ids.contains(&id) {
            target.remove_child(&node)?;
        }
    }
    Ok(())
}

/// The existing node that matches a new one: the next node, or a later one with the same id.
fn counterpart(place: Option<&Node>, new: &Node) -> Option<Node> {
    let id = id_of(new);
    let mut candidate = place.cloned();
    while let Some(node) = candidate {
        if node.node_name() == new.node_name() && id_of(&node) == id {
            return Some(node);
        }
        if id.is_empty() {
            return None;
        }
        candidate = node.next_sibling();
    }
    None
}

/// The `id` attribute: the property `id` of a form may be a field named so.
fn id_of(node: &Node) -> String {
    node.dyn_ref::<Element>().and_then(|element| element.get_attribute("id")).unwrap_or_default()
}

fn update_node(kept: &Node, new: &Node) -> Result<(), JsValue> {
    if kept.is_equal_node(Some(new)) {
        return Ok(());
    }
    match (kept.dyn_ref::<Element>(), new.dyn_ref::<Element>()) {
        // islands manage their own content
        (Some(kept), _) if kept.tag_name() == "LEPTOS-ISLAND" => Ok(()),
        (Some(kept), Some(new)) => {
            update_attributes(kept, new);
            update_children(kept, new)
        }
        _ => {
            kept.set_node_value(new.node_value().as_deref());
            Ok(())
        }
    }
}

/// Copies the attributes of another element, except for the open state that the reader chose.
pub fn update_attributes(kept: &Element, new: &Element) {
    let names = |element: &Element| element.get_attribute_names().iter().filter_map(|name| name.as_string()).collect::<Vec<_>>();
    for name in names(kept) {
        if name != "open" && !new.has_attribute(&name) {
            let _ = kept.remove_attribute(&name);
        }
    }
    for name in names(new) {
        if let Some(value) = new.get_attribute(&name)
            && name != "open"
            && kept.get_attribute(&name).as_ref() != Some(&value)
        {
            // can't fail: the name comes from an element
            let _ = kept.set_attribute(&name, &value);
        }
    }
}
