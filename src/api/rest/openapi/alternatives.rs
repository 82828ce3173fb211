//! Schemas that are one of several and have fields beside that (`allOf` of a `oneOf` and an object) as one of several whole
//! objects: valid either way, but many generators of clients give the former up, and with it every answer that holds one.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::schema::{AllOf, ArrayItems, Object, OneOf, Schema};
use utoipa::openapi::{Ref, RefOr};

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Where references to schemas lead.
const PLACE: &str = "#/components/schemas/";
/// What the name of a list's page begins with, before that of its rows.
const PAGE: &str = "Page_";

/// Writes each such schema as the objects that it may be.
pub(super) fn spell_out(schemas: &mut Schemas) {
    let spelled: Vec<(String, Schema)> = schemas
        .iter()
        .filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::AllOf(all)) => Some((name.clone(), spelled(all, schemas)?)),
            _ => None,
        })
        .collect();
    for (name, schema) in spelled {
        schemas.insert(name, RefOr::T(schema));
    }
}

/// Has the pages of lists refer to the schemas of their rows, which they have within themselves otherwise. A row that is in
/// pages alone becomes a schema of its own.
pub(super) fn refer_to_rows(schemas: &mut Schemas) {
    let mut rows = Schemas::new();
    for (name, schema) in schemas.iter_mut() {
        let Some(row) = name.strip_prefix(PAGE) else { continue };
        if let RefOr::T(Schema::Object(page)) = schema
            && let Some(RefOr::T(Schema::Array(list))) = page.properties.get_mut("items")
            && let ArrayItems::RefOrSchema(item) = &mut list.items
        {
            rows.insert(row.to_owned(), std::mem::replace(&mut **item, RefOr::Ref(Ref::from_schema_name(row))));
        }
    }
    for (name, row) in rows {
        schemas.entry(name).or_insert(row);
    }
}

fn spelled(all: &AllOf, schemas: &Schemas) -> Option<Schema> {
    let objects = merged(all, schemas)?;
    if objects.len() < 2 {
        return None;
    }
    let mut one_of = OneOf::new();
    one_of.description.clone_from(&all.description);
    one_of.items = objects.into_iter().map(|object| RefOr::T(Schema::Object(object))).collect();
    Some(Schema::OneOf(one_of))
}

/// The objects that a schema may be; nothing where one of them is none.
fn objects(schema: &RefOr<Schema>, schemas: &Schemas) -> Option<Vec<Object>> {
    match schema {
        RefOr::Ref(reference) => objects(schemas.get(name_of(reference)?)?, schemas),
        RefOr::T(Schema::Object(object)) if !object.properties.is_empty() => Some(vec![object.clone()]),
        RefOr::T(Schema::OneOf(one_of)) => {
            let each: Option<Vec<Vec<Object>>> = one_of.items.iter().map(|item| objects(item, schemas)).collect();
            Some(each?.concat())
        }
        RefOr::T(Schema::AllOf(all)) => merged(all, schemas),
        RefOr::T(_) => None,
    }
}

/// Each way to take one object of every part, as one object.
fn merged(all: &AllOf, schemas: &Schemas) -> Option<Vec<Object>> {
    let mut ways = vec![Object::new()];
    for part in &all.items {
        let objects = objects(part, schemas)?;
        ways = ways.iter().flat_map(|way| objects.iter().map(|object| with(way.clone(), object))).collect();
    }
    Some(ways)
}

fn with(mut object: Object, other: &Object) -> Object {
    object.properties.extend(other.properties.clone());
    object.required.extend(other.required.iter().cloned());
    object.description = object.description.or_else(|| other.description.clone());
    object
}

fn name_of(reference: &Ref) -> Option<&str> {
    reference.ref_location.strip_prefix(PLACE)
}

/// Schemas that nothing in a document refers to; `document` is all of it as JSON.
pub(super) fn unused(schemas: &Schemas, document: &serde_json::Value) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    references(document, &mut used);
    schemas.keys().filter(|name| !used.contains(*name)).cloned().collect()
}

fn references(value: &serde_json::Value, used: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(serde_json::Value::as_str);
            used.extend(reference.and_then(|reference| reference.strip_prefix(PLACE)).map(str::to_owned));
            fields.values().for_each(|value| references(value, used));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| references(value, used)),
        _ => {}
    }
}
