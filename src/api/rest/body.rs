//! The workflow's body as the OpenAPI document shows it. It is read by [`crate::domain::workflow::Body`], which tells
//! "left out" from `null` and collects all errors; a test holds the two together. The options of a load are described by
//! their own table.

use std::borrow::Cow;

use dyno_measure::load::options::OptionKind;
use dyno_measure::load::{EvalWith, LoadOption, LoadSpec, OPTIONS};
use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};
use utoipa::openapi::{Deprecated, RefOr};
use utoipa::{Number, PartialSchema, ToSchema};
use uuid::Uuid;

use crate::domain::benchmark::Tag;
use crate::domain::engine::EngineKind;
use crate::domain::workflow::fields::DATASET_ALIASES;
use crate::domain::workflow::request_nodes::RequestNode;

/// One step of the workflow.
pub struct WorkflowBody;

/// One step of the workflow. Fields of another step are refused.
#[derive(utoipa::ToSchema)]
#[schema(example = json!({
    "name": "test-111", "tags": [], "description": "test-111", "concurrent_requests": 50, "eval_with": "configuration",
    "workflow_total_steps": 9, "step_number": 1, "trigger_workflow": false
}))]
#[allow(dead_code, reason = "only its schema is used")]
struct BesideTheLoad {
    /// With every call but the first.
    workflow_id: Option<Uuid>,
    /// With the first call only: 8 or 9, echoed.
    #[schema(minimum = 8, maximum = 9)]
    workflow_total_steps: Option<u8>,
    /// 1 details, 2 evaluation, 3 cluster, 4 nodes, 5 model, 6 credential, 7 confirmation, 8 execute.
    #[schema(minimum = 1, maximum = 8)]
    step_number: u8,
    /// The revision that the sender has seen; another one is a conflict, and nothing is saved.
    if_revision: Option<u64>,
    /// Step 8: start the run.
    trigger_workflow: Option<bool>,
    /// Step 1, and any later: 1 to 50 characters.
    #[schema(max_length = 50)]
    name: Option<String>,
    /// Step 1, and any later: at most 20, each a text or `{"name","color":"#RRGGBB"}`.
    tags: Option<Vec<TagBody>>,
    /// Step 1, and any later.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Step 1, and any later: requests in flight, the run's total.
    #[schema(minimum = 1, maximum = 10000)]
    concurrent_requests: Option<u32>,
    /// Step 1 or 2; ignored in later ones.
    eval_with: Option<EvalWith>,
    /// Step 3.
    cluster_id: Option<Uuid>,
    /// Step 4: as node-metrics answers them; only `hostname` and the types of `devices` are read.
    nodes: Option<Vec<RequestNode>>,
    /// Step 4: where the load comes from.
    load_node: Option<String>,
    /// Step 4: over how many processes the load is split, each with its part of the plan, on Kubernetes each a pod; 1 unless said
    /// otherwise. No more than requests in flight. More are suggested (`warnings`) where the load is more than one was found to carry.
    #[schema(minimum = 1, maximum = 64)]
    load_pods: Option<u32>,
    /// Step 4, Kubernetes clusters only: CPU that each load pod requests and is limited to, thousandths of a core; 1,000 unless
    /// said otherwise.
    #[schema(minimum = 100, maximum = 64000)]
    load_cpu_millicores: Option<u32>,
    /// Step 5.
    model_id: Option<Uuid>,
    /// Step 5: llama.cpp for a GGUF file, vLLM for a Hugging Face model unless said otherwise.
    engine: Option<EngineKind>,
    /// Step 5: devices that hold one copy together.
    tensor_parallel: Option<u32>,
    /// Step 5: stages that a copy is cut into.
    pipeline_parallel: Option<u32>,
    /// Step 5: copies on each node.
    replicas: Option<u32>,
    /// Step 5: added to the recipe's own; for an own command the whole command.
    engine_args: Option<Vec<String>>,
    /// Step 5: container image.
    engine_image: Option<String>,
    /// Step 5: most memory of an engine's container, MiB; over that the cluster ends it.
    #[schema(minimum = 16, maximum = 16_777_216)]
    engine_memory_limit_mib: Option<u32>,
    /// Step 6: for a cloud model only.
    credential_id: Option<Uuid>,
    /// Step 7: must be true.
    user_confirmation: Option<bool>,
    /// Step 8.
    run_as_simulation: Option<bool>,
}

/// A tag, long or short.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum TagBody {
    /// With a color.
    Full(Tag),
    /// The name alone.
    Name(String),
}

impl ToSchema for WorkflowBody {
    fn name() -> Cow<'static, str> {
        "WorkflowBody".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        BesideTheLoad::schemas(schemas);
        LoadSpec::schemas(schemas);
    }
}

impl PartialSchema for WorkflowBody {
    fn schema() -> RefOr<Schema> {
        let mut body = object(BesideTheLoad::schema());
        let load = object(LoadSpec::schema());
        for option in OPTIONS {
            let Some(stored) = load.properties.get(option.name) else { continue };
            let sent = described(stored.clone(), option);
            if option.kind == OptionKind::Datasets {
                for alias in DATASET_ALIASES {
                    body.properties.insert(alias.to_owned(), deprecated(sent.clone()));
                }
            }
            body.properties.insert(option.name.to_owned(), sent);
        }
        Schema::Object(body).into()
    }
}

/// A struct's schema is an object.
fn object(schema: RefOr<Schema>) -> Object {
    match schema {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::default(),
    }
}

/// A stored option's schema as a body sends it: `null` empties it, and its values have bounds.
fn described(schema: RefOr<Schema>, option: &LoadOption) -> RefOr<Schema> {
    let scope = if option.scope.is_empty() { String::new() } else { format!(", {}", option.scope) };
    let about = if option.about.is_empty() { String::new() } else { format!(": {}", option.about) };
    let description = format!("Step 2{scope}{about}.");
    match schema {
        RefOr::Ref(mut reference) => {
            reference.description = description;
            RefOr::Ref(reference)
        }
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(description);
            if option.kind == OptionKind::Fields {
                object.schema_type = SchemaType::from_iter([Type::Object, Type::Null]);
            }
            let (least, most) = option.bounds();
            let is_positive = matches!(option.kind, OptionKind::Positive { .. });
            object.minimum = least.map(number).or(object.minimum.filter(|_| !is_positive));
            object.exclusive_minimum = is_positive.then(|| number(0.0));
            object.maximum = most.map(number);
            Schema::Object(object).into()
        }
        RefOr::T(Schema::Array(mut list)) => {
            list.description = Some(description);
            list.schema_type = SchemaType::from_iter([Type::Array, Type::Null]);
            Schema::Array(list).into()
        }
        // A type of its own, or null.
        RefOr::T(Schema::OneOf(mut choice)) => {
            for item in &mut choice.items {
                if let RefOr::Ref(reference) = item {
                    reference.description.clone_from(&description);
                }
            }
            Schema::OneOf(choice).into()
        }
        other @ RefOr::T(_) => other,
    }
}

fn number(bound: f64) -> Number {
    if bound.fract() == 0.0 { Number::UInt(bound as usize) } else { Number::Float(bound) }
}

fn deprecated(mut schema: RefOr<Schema>) -> RefOr<Schema> {
    if let RefOr::T(Schema::Array(list)) = &mut schema {
        list.deprecated = Some(Deprecated::True);
        list.description = Some("Step 2: the same as `dataset_ids`.".to_owned());
    }
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use utoipa::PartialSchema;

    use super::WorkflowBody;
    use crate::domain::workflow::fields::{CALL, DETAILS, of_steps};

    #[test]
    fn the_described_body_has_the_fields_that_are_read() {
        let schema = serde_json::to_value(WorkflowBody::schema()).unwrap();
        let described: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let read: BTreeSet<&str> = CALL.into_iter().chain(DETAILS).chain(of_steps()).collect();
        assert_eq!(described, read);
        assert_eq!(schema["required"], json!(["step_number"]));
    }

    #[test]
    fn a_loads_options_have_their_words_types_and_bounds() {
        let schema = serde_json::to_value(WorkflowBody::schema()).unwrap();
        let property = |name: &str| schema["properties"][name].clone();
        assert_eq!(
            property("ramp_s"),
            json!({
                "description": "Step 2, closed loop: over how long the first requests are spread.",
                "type": ["number", "null"], "format": "double", "minimum": 0, "maximum": 3600,
            })
        );
        let tokens = property("max_input_tokens");
        assert_eq!((&tokens["minimum"], &tokens["maximum"]), (&json!(1), &json!(1_000_000)));
        assert_eq!((&property("time_scale")["exclusiveMinimum"], property("seed").get("maximum")), (&json!(0), None));
        let endpoint = &property("endpoint")["oneOf"][0];
        assert_eq!(endpoint["description"], "Step 2: `chat` unless said otherwise.");
        assert_eq!(endpoint["$ref"], "#/components/schemas/Endpoint");
        assert_eq!(property("extra_body")["type"], json!(["object", "null"]));
        assert_eq!(
            (&property("dataset_ids")["type"], &property("datasets")["deprecated"]),
            (&json!(["array", "null"]), &json!(true))
        );
    }
}
