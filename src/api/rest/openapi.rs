//! The OpenAPI document: what the handlers say of themselves, completed by what holds for all of them.

mod alternatives;

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Info, License, OpenApi, Ref, RefOr, Response, ResponseBuilder, Server, schema::ObjectBuilder, schema::Schema,
    schema::SchemaType, schema::Type, tag::TagBuilder,
};

/// Where the document is served.
pub const PATH: &str = "/api/v1/openapi.json";

/// The problems that any operation may answer with, beside those that it names itself.
const PROBLEMS: [(&str, &str); 6] = [
    ("400", "The body is not what it claims to be, no JSON say."),
    ("401", "Not signed in."),
    ("403", "Signed in, but not allowed."),
    ("404", "Does not exist, or is another person's."),
    ("409", "Someone else changed it, or its state forbids it."),
    ("422", "A value breaks a rule; `errors` names each field."),
];

/// What the operations are grouped by.
const TAGS: [(&str, &str); 5] = [
    ("workflows", "Drafts: the steps from a name to a run."),
    ("benchmarks", "What finished drafts yield, to be run again."),
    ("runs", "Runs with their events, reports and request records."),
    ("inventory", "What benchmarks are made of: clusters, engines, models, datasets, credentials."),
    ("people", "Users, tokens and one's own account."),
];

pub fn document() -> OpenApi {
    complete(super::resources().into_openapi())
}

/// Adds title, security schemes and problem responses.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("Dyno", env!("CARGO_PKG_VERSION"));
    info.description = Some("Benchmarks of LLM inference on your own cluster.".to_owned());
    let licence = env!("CARGO_PKG_LICENSE");
    let mut license = License::new(licence);
    license.identifier = Some(licence.to_owned());
    info.license = Some(license);
    document.info = info;
    // Wherever the document itself was had.
    document.servers = Some(vec![Server::new("/")]);
    document.tags =
        Some(TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build()).into());

    let mut components = document.components.take().unwrap_or_default();
    components.add_security_scheme("token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    components
        .add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::auth::SESSION_COOKIE))));
    components.schemas.insert("Problem".to_owned(), RefOr::T(problem_schema()));
    components.schemas.insert("FieldError".to_owned(), <crate::domain::problem::FieldError as utoipa::PartialSchema>::schema());
    alternatives::refer_to_rows(&mut components.schemas);
    alternatives::spell_out(&mut components.schemas);
    document.components = Some(components);
    // Either of the two will do.
    let no_scopes: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new("token", no_scopes), SecurityRequirement::new("session", no_scopes)]);

    for (path, item) in &mut document.paths.paths {
        let resource = path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default().replace('-', "_");
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .filter_map(Option::as_mut);
        operations.for_each(|operation| {
            // Handlers of different resources have the same names; generators make one function of each operation.
            if let Some(id) = &mut operation.operation_id {
                *id = format!("{id}_{resource}");
            }
            describe_successes(operation);
            add_problems(operation);
        });
        let writes = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().filter_map(Option::as_mut);
        writes.for_each(|operation| add_problem(operation, "507", "The portal's disk is full."));
    }
    drop_unused(&mut document);
    document
}

/// What was spelt out leaves parts to which nothing refers any more.
fn drop_unused(document: &mut OpenApi) {
    loop {
        let whole = serde_json::to_value(&*document).unwrap_or_default();
        let Some(components) = &mut document.components else { return };
        let unused = alternatives::unused(&components.schemas, &whole);
        if unused.is_empty() {
            return;
        }
        components.schemas.retain(|name, _| !unused.contains(name));
    }
}

/// Every answer needs a description; those of a success mostly need no more than their body says.
fn describe_successes(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if response.description.is_empty() {
            match status.as_str() {
                "201" => "What was created.",
                "202" => "What was begun.",
                "204" => "Done.",
                _ => "What was asked for.",
            }
            .clone_into(&mut response.description);
        }
    }
}

fn add_problems(operation: &mut Operation) {
    for (status, description) in PROBLEMS {
        add_problem(operation, status, description);
    }
}

fn add_problem(operation: &mut Operation, status: &str, description: &str) {
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(description)));
}

fn problem(description: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// RFC 9457 as this API fills it in.
fn problem_schema() -> Schema {
    let text = || ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    let errors = utoipa::openapi::schema::ArrayBuilder::new().items(Ref::from_schema_name("FieldError"));
    let changed = utoipa::openapi::schema::ArrayBuilder::new().items(text());
    Schema::from(
        ObjectBuilder::new()
            .description(Some("Problem details as RFC 9457 lays down."))
            .property("type", text().description(Some("Stable; tells the kinds apart.")))
            .property("title", text())
            .property("status", ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)))
            .property("detail", text().description(Some("A sentence for people.")))
            .property("errors", errors)
            .property("changed", changed)
            .required("type")
            .required("title")
            .required("status")
            .required("detail"),
    )
}
