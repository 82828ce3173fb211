//! One row of any format into a prompt and, where there is one, its reference. Pure.

use serde::Serialize;
use serde_json::{Map, Value};

use super::trace;
use dyno_measure::dataset::{ChatMessage, DatasetFormat, DatasetRow, TraceRow};

const CONVERSATION_KEYS: [&str; 3] = ["conversations", "messages", "conversation"];
const PROMPT_KEYS: [&str; 5] = ["prompt", "question", "text", "input", "query"];
const REFERENCE_KEYS: [&str; 7] = ["output", "response", "answer", "completion", "reference", "target", "expected_output"];

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Normalised {
    /// A prompt.
    Prompt(DatasetRow),
    /// An arrival.
    Arrival(TraceRow),
}

/// Reads one row. The error is the end of a sentence that begins with "Line 7: ".
pub(super) fn normalised(value: &Value) -> Result<(DatasetFormat, Normalised), String> {
    if let Some(found) = value.as_object().and_then(trace::arrival) {
        return found.map(|(format, row)| (format, Normalised::Arrival(row)));
    }
    prompt(value).map(|(format, row)| (format, Normalised::Prompt(row)))
}

fn prompt(value: &Value) -> Result<(DatasetFormat, DatasetRow), String> {
    if let Value::String(prompt) = value {
        return Ok(prompts(user(None, prompt)?, None));
    }
    let object = value.as_object().ok_or("a row must be an object or a text")?;
    if let Some((key, turns)) = CONVERSATION_KEYS.iter().find_map(|key| Some((*key, object.get(*key)?))) {
        return conversation(key, turns, object).map(|row| (DatasetFormat::ShareGpt, row));
    }
    if object.contains_key("instruction") {
        return alpaca(object).map(|row| (DatasetFormat::Alpaca, row));
    }
    if let Some(turns) = object.get("turns") {
        let texts = turns.as_array().and_then(|turns| turns.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let texts = texts.filter(|texts| !texts.is_empty()).ok_or("turns must be a list of texts")?;
        let (format, row) = prompts(user(object.get("system"), texts[0])?, reference(object)?);
        let more_turns = texts[1..].iter().filter(|text| !text.trim().is_empty()).map(|text| (*text).to_owned()).collect();
        return Ok((format, DatasetRow { more_turns, ..row }));
    }
    let Some((key, prompt)) = PROMPT_KEYS.iter().find_map(|key| Some((*key, object.get(*key)?))) else {
        return Err(format!(
            "none of the fields {}, instruction, turns, {} is there",
            CONVERSATION_KEYS[..2].join(", "),
            PROMPT_KEYS.join(", ")
        ));
    };
    match prompt {
        Value::String(text) => Ok(prompts(user(object.get("system"), text)?, reference(object)?)),
        Value::Array(_) => {
            let row = conversation(key, prompt, object)?;
            let stated = reference(object)?;
            Ok((DatasetFormat::Prompts, DatasetRow { reference: stated.or(row.reference), ..row }))
        }
        _ => Err(format!("{key} must be a text")),
    }
}

fn prompts(messages: Vec<ChatMessage>, reference: Option<String>) -> (DatasetFormat, DatasetRow) {
    (DatasetFormat::Prompts, DatasetRow { messages, reference, more_turns: Vec::new() })
}

fn message(role: &str, content: impl Into<String>) -> ChatMessage {
    ChatMessage { role: role.to_owned(), content: content.into() }
}

fn user(system: Option<&Value>, prompt: &str) -> Result<Vec<ChatMessage>, String> {
    if prompt.trim().is_empty() {
        return Err("the prompt is empty".to_owned());
    }
    let system = system.and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    Ok(system.map(|text| message("system", text)).into_iter().chain([message("user", prompt)]).collect())
}

fn alpaca(object: &Map<String, Value>) -> Result<DatasetRow, String> {
    let field = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("{name} must be a text")),
    };
    let (instruction, input) = (field("instruction")?, field("input")?);
    let prompt = if input.trim().is_empty() { instruction.to_owned() } else { format!("{instruction}\n\n{input}") };
    let messages = user(object.get("system"), &prompt)?;
    Ok(DatasetRow { messages, reference: reference(object)?, more_turns: Vec::new() })
}

/// The first reference that is there; an empty one is none.
fn reference(object: &Map<String, Value>) -> Result<Option<String>, String> {
    for key in REFERENCE_KEYS {
        let text = match object.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(truth)) => truth.to_string(),
            // Several references, or one a turn: the first is for the first prompt.
            Some(Value::Array(several)) => match several.first() {
                Some(Value::String(text)) => text.clone(),
                None => continue,
                Some(_) => return Err(format!("{key} must be a text or a list of texts")),
            },
            Some(Value::Object(_)) => return Err(format!("{key} must be a text")),
        };
        return Ok(Some(text).filter(|text| !text.trim().is_empty()));
    }
    Ok(None)
}

/// A conversation up to its last answer, which is the reference; all of it where a question stands last.
fn conversation(key: &str, turns: &Value, object: &Map<String, Value>) -> Result<DatasetRow, String> {
    let turns = turns.as_array().ok_or_else(|| format!("{key} must be a list"))?;
    let mut messages = turns.iter().enumerate().map(|(at, turn)| turn_of(turn).map_err(|why| format!("{key}[{at}]: {why}")));
    let mut messages = messages.by_ref().collect::<Result<Vec<_>, _>>()?;
    if let Some(system) = object.get("system").and_then(Value::as_str).filter(|text| !text.trim().is_empty())
        && messages.first().is_none_or(|first| first.role != "system")
    {
        messages.insert(0, message("system", system));
    }
    // Some conversations begin with an answer whose question was cut off.
    while let Some(at) = messages.iter().position(|message| message.role != "system")
        && messages[at].role == "assistant"
    {
        messages.remove(at);
    }
    let last_question = messages.iter().rposition(|message| message.role == "user");
    let last_question = last_question.ok_or_else(|| format!("{key} has no message of a user"))?;
    let reference =
        messages[last_question + 1..].iter().find(|message| message.role == "assistant").map(|message| message.content.clone());
    messages.truncate(last_question + 1);
    if messages[last_question].content.trim().is_empty() {
        return Err("the prompt is empty".to_owned());
    }
    let reference = reference.filter(|text| !text.trim().is_empty());
    Ok(DatasetRow { messages, reference, more_turns: Vec::new() })
}

fn turn_of(turn: &Value) -> Result<ChatMessage, String> {
    let object = turn.as_object().ok_or("must be an object")?;
    let field = |names: [&str; 2]| names.iter().find_map(|name| object.get(*name));
    let role = field(["from", "role"]).and_then(Value::as_str).ok_or("from (or role) is missing")?;
    let role = match role.to_ascii_lowercase().as_str() {
        "human" | "user" | "prompter" => "user",
        "gpt" | "assistant" | "chatgpt" | "bing" | "bard" | "model" | "bot" => "assistant",
        "system" | "developer" => "system",
        _ => return Err(format!("{:?} is not a known role", role.chars().take(30).collect::<String>())),
    };
    match field(["value", "content"]) {
        Some(Value::String(text)) => Ok(message(role, text)),
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| part.get("text").and_then(Value::as_str).ok_or_else(|| "only text can be used".to_owned()))
            .collect::<Result<Vec<_>, _>>()
            .map(|texts| message(role, texts.concat())),
        _ => Err("value (or content) must be a text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> (DatasetFormat, Vec<(String, String)>, Option<String>) {
        let (format, row) = prompt(&value).unwrap();
        (format, row.messages.into_iter().map(|message| (message.role, message.content)).collect(), row.reference)
    }

    fn says(role: &str, content: &str) -> (String, String) {
        (role.to_owned(), content.to_owned())
    }

    #[test]
    fn conversations() {
        let row = json!({"id": "x", "conversations": [
            {"from": "gpt", "value": "cut off"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"},
            {"from": "human", "value": "c"}, {"from": "gpt", "value": "d"}
        ]});
        let expected = vec![says("user", "a"), says("assistant", "b"), says("user", "c")];
        assert_eq!(read(row), (DatasetFormat::ShareGpt, expected, Some("d".to_owned())));
        let row = json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "q"}]}]});
        assert_eq!(read(row), (DatasetFormat::ShareGpt, vec![says("system", "s"), says("user", "q")], None));
    }

    #[test]
    fn alpaca_rows() {
        let row = json!({"instruction": "Add.", "input": "1 and 2", "output": "3"});
        assert_eq!(read(row), (DatasetFormat::Alpaca, vec![says("user", "Add.\n\n1 and 2")], Some("3".to_owned())));
        let row = json!({"instruction": "Say hello.", "input": "", "output": ""});
        assert_eq!(read(row), (DatasetFormat::Alpaca, vec![says("user", "Say hello.")], None));
    }

    #[test]
    fn plain_prompts() {
        for key in PROMPT_KEYS {
            assert_eq!(read(json!({key: "q"})), (DatasetFormat::Prompts, vec![says("user", "q")], None), "{key}");
        }
        for key in REFERENCE_KEYS {
            assert_eq!(read(json!({"prompt": "q", key: "r"})).2.as_deref(), Some("r"), "{key}");
        }
        assert_eq!(read(json!("q")), (DatasetFormat::Prompts, vec![says("user", "q")], None));
        assert_eq!(read(json!({"question": "2+2?", "answer": 4})).2.as_deref(), Some("4"));
        let turns = json!({"question_id": 81, "turns": ["first", "second"], "reference": ["one", "two"]});
        assert_eq!(read(turns), (DatasetFormat::Prompts, vec![says("user", "first")], Some("one".to_owned())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let why = |value: Value| normalised(&value).unwrap_err();
        assert_eq!(why(json!(7)), "a row must be an object or a text");
        assert_eq!(why(json!({"prompt": " "})), "the prompt is empty");
        assert_eq!(why(json!({"prompt": 7})), "prompt must be a text");
        assert_eq!(why(json!({"messages": []})), "messages has no message of a user");
        assert_eq!(why(json!({"messages": [{"role": "wizard", "content": "x"}]})), "messages[0]: \"wizard\" is not a known role");
        assert_eq!(why(json!({"conversations": [{"from": "human"}]})), "conversations[0]: value (or content) must be a text");
        assert!(why(json!({"colour": "red"})).starts_with("none of the fields"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let keys = "(prompt|messages|conversations|turns|instruction|from|role|value|content|output|system|text|x)";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "(user|gpt|human|system|[a-z ]{0,5})".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((keys, inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_row_is_good_or_has_a_reason(value in any_json()) {
            if let Ok((_, Normalised::Prompt(row))) = normalised(&value) {
                let last = row.messages.last().unwrap();
                prop_assert_eq!(last.role.as_str(), "user");
                prop_assert!(!last.content.trim().is_empty());
            }
        }
    }
}
