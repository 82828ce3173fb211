//! Converts a row of any format to a prompt and its reference, if it has one. Pure.

use serde::Serialize;
use serde_json::{Map, Value};

use super::arrival::arrival;
use super::fields::{CONVERSATION_KEYS, ENVELOPES, PROMPT_KEYS, REFERENCE_KEYS};
use super::read_error::RowError;
use dyno_measure::dataset::{ChatMessage, DatasetFormat, DatasetRow, TraceRow};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Normalised {
    Prompt(DatasetRow),
    Arrival(TraceRow),
}

const EMPTY_PROMPT: RowError = RowError::Nothing("the prompt is empty");
const EMPTY_CONVERSATION: RowError = RowError::Nothing("the conversation is empty");

pub(super) fn normalised(value: &Value) -> Result<(DatasetFormat, Normalised), RowError> {
    if let Some(object) = value.as_object() {
        if let Some(found) = arrival(object) {
            return found.map(|(format, row)| (format, Normalised::Arrival(row)));
        }
        // requests of batch files, and rows wrapped by dataset viewers
        if let Some(inner) = ENVELOPES.iter().find_map(|name| object.get(*name).filter(|inner| inner.is_object())) {
            return normalised(inner);
        }
    }
    prompt(value).map(|(format, row)| (format, Normalised::Prompt(row)))
}

fn prompt(value: &Value) -> Result<(DatasetFormat, DatasetRow), RowError> {
    if let Value::String(prompt) = value {
        return Ok(prompts(user(None, prompt)?, None));
    }
    let object = value.as_object().ok_or("a row must be an object or a text")?;
    if let Some((key, turns)) = first_of(object, &CONVERSATION_KEYS) {
        return conversation(key, turns, object).map(|row| (DatasetFormat::ShareGpt, row));
    }
    if object.contains_key("instruction") {
        return alpaca(object).map(|row| (DatasetFormat::Alpaca, row));
    }
    if let Some(turns) = object.get("turns").filter(|turns| !is_blank(turns)) {
        let texts = turns.as_array().and_then(|turns| turns.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let texts = texts.ok_or("turns must be a list of texts")?;
        let (format, row) = prompts(user(object.get("system"), texts[0])?, reference(object)?);
        let more_turns = texts[1..].iter().filter(|text| !text.trim().is_empty()).map(|text| (*text).to_owned()).collect();
        return Ok((format, DatasetRow { more_turns, ..row }));
    }
    let Some((key, prompt)) = first_of(object, &PROMPT_KEYS) else {
        return Err(nothing_in(object));
    };
    match prompt {
        Value::String(text) => Ok(prompts(user(object.get("system"), text)?, reference(object)?)),
        Value::Array(_) => {
            let row = conversation(key, prompt, object)?;
            let stated = reference(object)?;
            Ok((DatasetFormat::Prompts, DatasetRow { reference: stated.or(row.reference), ..row }))
        }
        _ => Err(format!("{key} must be a text").into()),
    }
}

/// The first of these fields that is not blank.
fn first_of<'a>(object: &'a Map<String, Value>, keys: &[&'static str]) -> Option<(&'static str, &'a Value)> {
    keys.iter().find_map(|key| Some((*key, object.get(*key).filter(|value| !is_blank(value))?)))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The error of a row without a prompt: the field is empty, or missing.
fn nothing_in(object: &Map<String, Value>) -> RowError {
    let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
    if has(&CONVERSATION_KEYS) || has(&["turns"]) {
        EMPTY_CONVERSATION
    } else if has(&PROMPT_KEYS) {
        EMPTY_PROMPT
    } else {
        let (conversations, prompts) = (CONVERSATION_KEYS[..2].join(", "), PROMPT_KEYS.join(", "));
        format!("none of the fields {conversations}, instruction, turns, {prompts} is there").into()
    }
}

fn prompts(messages: Vec<ChatMessage>, reference: Option<String>) -> (DatasetFormat, DatasetRow) {
    (DatasetFormat::Prompts, DatasetRow { messages, reference, more_turns: Vec::new() })
}

fn message(role: &str, content: impl Into<String>) -> ChatMessage {
    ChatMessage { role: role.to_owned(), content: content.into() }
}

fn user(system: Option<&Value>, prompt: &str) -> Result<Vec<ChatMessage>, RowError> {
    if prompt.trim().is_empty() {
        return Err(EMPTY_PROMPT);
    }
    let system = system.and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    Ok(system.map(|text| message("system", text)).into_iter().chain([message("user", prompt)]).collect())
}

fn alpaca(object: &Map<String, Value>) -> Result<DatasetRow, RowError> {
    let field = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("{name} must be a text")),
    };
    let (instruction, input) = (field("instruction")?, field("input")?);
    let parts = [instruction, input].into_iter().filter(|part| !part.trim().is_empty());
    let prompt = parts.collect::<Vec<_>>().join("\n\n");
    let messages = user(object.get("system"), &prompt)?;
    Ok(DatasetRow { messages, reference: reference(object)?, more_turns: Vec::new() })
}

/// The first reference that is not empty.
fn reference(object: &Map<String, Value>) -> Result<Option<String>, RowError> {
    for key in REFERENCE_KEYS {
        let text = match object.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(truth)) => truth.to_string(),
            // With several references, or one per turn, the first belongs to the first prompt.
            Some(Value::Array(several)) => match several.first() {
                Some(Value::String(text)) => text.clone(),
                None => continue,
                Some(_) => return Err(format!("{key} must be a text or a list of texts").into()),
            },
            Some(Value::Object(_)) => return Err(format!("{key} must be a text").into()),
        };
        if !text.trim().is_empty() {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// A conversation up to its last answer, which is the reference; the whole conversation if it ends with a question.
fn conversation(key: &str, turns: &Value, object: &Map<String, Value>) -> Result<DatasetRow, RowError> {
    let turns = turns.as_array().ok_or_else(|| format!("{key} must be a list"))?;
    let mut messages = turns.iter().enumerate().map(|(at, turn)| {
        turn_of(turn).map_err(|why| match why {
            RowError::Unreadable(why) => RowError::Unreadable(format!("{key}[{at}]: {why}")),
            nothing @ RowError::Nothing(_) => nothing,
        })
    });
    let mut messages = messages.by_ref().collect::<Result<Vec<_>, _>>()?;
    if let Some(system) = object.get("system").and_then(Value::as_str).filter(|text| !text.trim().is_empty())
        && messages.first().is_none_or(|first| first.role != "system")
    {
        messages.insert(0, message("system", system));
    }
    // Leading answers, and empty questions, are removed: their questions were cut off.
    while let Some(at) = messages.iter().position(|message| message.role != "system")
        && (messages[at].role == "assistant" || messages[at].content.trim().is_empty())
        && messages[at..].iter().any(|message| message.role == "user" && !message.content.trim().is_empty())
    {
        messages.remove(at);
    }
    if !messages.iter().any(|message| message.role == "user") {
        return Err(RowError::Nothing("the conversation has no turn of a person"));
    }
    let last_question = messages.iter().rposition(|message| message.role == "user" && !message.content.trim().is_empty());
    let last_question = last_question.ok_or(EMPTY_PROMPT)?;
    let reference =
        messages[last_question + 1..].iter().find(|message| message.role == "assistant").map(|message| message.content.clone());
    messages.truncate(last_question + 1);
    let reference = reference.filter(|text| !text.trim().is_empty());
    Ok(DatasetRow { messages, reference, more_turns: Vec::new() })
}

fn turn_of(turn: &Value) -> Result<ChatMessage, RowError> {
    let object = turn.as_object().ok_or("must be an object")?;
    let field = |names: &[&str]| names.iter().find_map(|name| object.get(*name));
    let role = field(&["from", "role"]).and_then(Value::as_str).ok_or("from (or role) is missing")?;
    let (role, is_of_tool) = match role.to_ascii_lowercase().as_str() {
        "human" | "user" | "prompter" => ("user", false),
        "gpt" | "assistant" | "chatgpt" | "bing" | "bard" | "claude" | "model" | "bot" | "ai" => ("assistant", false),
        "system" | "developer" => ("system", false),
        "function_call" | "tool_call" => ("assistant", true),
        // A tool result refers to a call by an id that servers verify; sent as the user's text, every server accepts it.
        "tool" | "function" | "observation" | "ipython" | "function_response" | "tool_response" | "tool_result" => ("user", true),
        _ => return Err(format!("{:?} is not a known role", role.chars().take(30).collect::<String>()).into()),
    };
    let calls = field(&["tool_calls", "function_call"]).filter(|calls| !is_blank(calls));
    let text = match field(&["value", "content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        None if calls.is_some() => String::new(),
        Some(Value::Array(parts)) if parts.iter().all(|part| text_of(part).is_some()) => {
            parts.iter().filter_map(text_of).collect()
        }
        Some(value) if is_of_tool => value.to_string(),
        Some(Value::Array(_)) => return Err(RowError::Nothing("the conversation has parts that are no text")),
        _ => return Err("value (or content) must be a text".into()),
    };
    Ok(match calls {
        Some(calls) if text.trim().is_empty() => message(role, calls.to_string()),
        Some(calls) => message(role, format!("{text}\n{calls}")),
        None => message(role, text),
    })
}

/// The text of a part of a message.
fn text_of(part: &Value) -> Option<&str> {
    part.as_str().or_else(|| part.get("text")?.as_str())
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
        let why = |value: Value| normalised(&value).unwrap_err().to_string();
        assert_eq!(why(json!(7)), "a row must be an object or a text");
        assert_eq!(why(json!({"prompt": 7})), "prompt must be a text");
        assert_eq!(why(json!({"messages": [{"role": "wizard", "content": "x"}]})), "messages[0]: \"wizard\" is not a known role");
        assert_eq!(why(json!({"conversations": [{"from": "human"}]})), "conversations[0]: value (or content) must be a text");
        assert!(why(json!({"colour": "red"})).starts_with("none of the fields"));
    }

    #[test]
    fn rows_with_nothing_to_send() {
        for (row, reason) in [
            (json!({"prompt": " "}), "the prompt is empty"),
            (json!({"prompt": null, "answer": "x"}), "the prompt is empty"),
            (json!({"instruction": "", "input": null}), "the prompt is empty"),
            (json!({"conversations": []}), "the conversation is empty"),
            (json!({"messages": null}), "the conversation is empty"),
            (json!({"turns": []}), "the conversation is empty"),
            (json!({"messages": [{"role": "assistant", "content": "x"}]}), "the conversation has no turn of a person"),
            (json!({"conversations": [{"from": "human", "value": ""}, {"from": "gpt", "value": "x"}]}), "the prompt is empty"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
                "the conversation has parts that are no text",
            ),
        ] {
            assert_eq!(normalised(&row), Err(RowError::Nothing(reason)), "{row}");
        }
        let row = json!({"conversations": [{"from": "human", "value": ""}, {"from": "gpt", "value": "x"}, {"from": "human", "value": "q"}]});
        assert_eq!(read(row), (DatasetFormat::ShareGpt, vec![says("user", "q")], None));
        assert_eq!(read(json!({"prompt": "", "text": "q", "output": "", "answer": "r"})).2.as_deref(), Some("r"));
    }

    #[test]
    fn tool_calls_and_results_are_texts() {
        let call = json!([{"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}]);
        let row = json!({"messages": [
            {"role": "user", "content": "1 + 2?"}, {"role": "assistant", "content": null, "tool_calls": call},
            {"role": "tool", "tool_call_id": "1", "content": {"sum": 3}}, {"role": "assistant", "content": "3"}
        ]});
        let expected = vec![says("user", "1 + 2?"), says("assistant", &call.to_string()), says("user", "{\"sum\":3}")];
        assert_eq!(read(row), (DatasetFormat::ShareGpt, expected, Some("3".to_owned())));
        let row = json!({"conversations": [
            {"from": "human", "value": "a"}, {"from": "function_call", "value": "f()"}, {"from": "observation", "value": "b"}
        ]});
        assert_eq!(read(row).1, [says("user", "a"), says("assistant", "f()"), says("user", "b")]);
    }

    #[test]
    fn requests_of_a_batch_file() {
        let row =
            json!({"custom_id": "1", "method": "POST", "body": {"model": "m", "messages": [{"role": "user", "content": "q"}]}});
        let Ok((_, Normalised::Prompt(row))) = normalised(&row) else { panic!() };
        assert_eq!(row.messages, [message("user", "q")]);
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
