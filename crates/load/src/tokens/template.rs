//! Chat templates, rendered as Python's Jinja does for transformers. They come from strangers: what one may take of time and memory
//! is bounded while it is rendered. While it is parsed it is not, so that a process which must not end lets another check it.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use dyno_datasets::python_json;
use dyno_measure::dataset::ChatMessage;
use dyno_measure::words::one_line;

/// Special tokens that templates write, by the names that transformers gives them.
const SPECIAL_TOKENS: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

/// Longest error, characters.
const LONGEST_ERROR: usize = 300;
/// Longest template, bytes; those of public models have less than 64 KiB.
const LONGEST: usize = 256 << 10;
/// Stack for parsing and checking one, bytes: what it nests is parsed, compiled and dropped level by level.
const STACK: usize = 64 << 20;
/// What a template may take to render one short message: instructions, and portions of 64 bytes that it makes.
const CHECK_FUEL: u64 = 500_000;
/// The same for a whole prompt of ten thousand messages, or of ten million characters.
const RENDER_FUEL: u64 = 4_000_000;
/// What a unit of fuel pays for, bytes.
const PORTION: usize = 64;

/// Why a chat template can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Its file could not be read.
    #[error("{0} could not be read: {1}")]
    Io(&'static str, #[source] std::io::Error),
    /// The file that holds it is not JSON.
    #[error("{0} is not JSON")]
    NotJson(&'static str),
    /// It is neither a string nor a list of named templates.
    #[error("{0} holds it in an unknown form")]
    UnknownForm(&'static str),
    #[error("it is longer than {} KiB", LONGEST >> 10)]
    TooLong,
    /// It renders a short message with more than any template needs.
    #[error("it takes too much time or memory")]
    TooCostly,
    #[error("there was no room to check it: {0}")]
    NotChecked(#[source] std::io::Error),
    /// It uses something that is not supported here, or rejects a user message.
    #[error("{}", one_line(&.0.to_string(), LONGEST_ERROR))]
    Jinja(Error),
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> Self {
        if is_out_of_fuel(&error) { Self::TooCostly } else { Self::Jinja(error) }
    }
}

/// Whether an error, or one behind it, is that the fuel was used up.
fn is_out_of_fuel(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_kind = error.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::OutOfFuel);
    of_kind || error.source().is_some_and(is_out_of_fuel)
}

#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    special_tokens: Vec<(&'static str, String)>,
}

/// Renders a template with one user message, to check it.
///
/// # Errors
/// When the template can't be used.
pub fn check_template(source: &str) -> Result<(), TemplateError> {
    Template::new(source, Vec::new()).map(|_| ())
}

impl Template {
    /// The template in a folder, if any.
    pub(super) fn beside(folder: &Path) -> Result<Option<Self>, TemplateError> {
        let config = json(folder, "tokenizer_config.json")?.unwrap_or_default();
        let Some(source) = source_in(folder, &config)? else { return Ok(None) };
        let token = |name: &'static str| match config.get(name) {
            Some(serde_json::Value::String(token)) => (name, token.clone()),
            Some(object) => (name, object.get("content").and_then(|content| content.as_str()).unwrap_or_default().to_owned()),
            None => (name, String::new()),
        };
        Self::new(&source, SPECIAL_TOKENS.map(token).into()).map(Some)
    }

    fn new(source: &str, special_tokens: Vec<(&'static str, String)>) -> Result<Self, TemplateError> {
        if source.len() > LONGEST {
            return Err(TemplateError::TooLong);
        }
        on_large_stack(|| Self::checked(source, special_tokens))?
    }

    /// Parses the template, and renders it with one message.
    fn checked(source: &str, special_tokens: Vec<(&'static str, String)>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(CHECK_FUEL));
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_unknown_method_callback(python_methods);
        environment.add_function("raise_exception", |words: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, words))
        });
        // a fixed date, so that rendered lengths do not depend on the day
        environment.add_function("strftime_now", |_format: String| "01 Jan 2026".to_owned());
        environment.add_filter("tojson", to_json);
        environment.add_template_owned("chat", without_generation(source))?;
        let mut template = Self { environment, special_tokens };
        template.render(&[ChatMessage { role: "user".to_owned(), content: "Hello".to_owned() }])?;
        template.environment.set_fuel(Some(RENDER_FUEL));
        Ok(template)
    }

    pub(super) fn render(&self, messages: &[ChatMessage]) -> Result<String, Error> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| context! { role => message.role.as_str(), content => message.content.as_str() })
            .collect();
        let tokens = Value::from_pairs(self.special_tokens.iter().map(|(name, token)| (*name, token.as_str())));
        let none = Value::from(());
        let values = context! { messages => messages, add_generation_prompt => true, tools => none, documents => Value::from(()), ..tokens };
        self.environment.get_template("chat")?.render(values)
    }
}

/// Does work on a thread of its own, with [`STACK`].
fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, TemplateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let done = thread.map_err(TemplateError::NotChecked)?.join();
        done.map_err(|_| TemplateError::NotChecked(std::io::Error::other("it broke off")))
    })
}

/// The source of the template: its own file, or a field of a JSON file or of the tokenizer's configuration.
fn source_in(folder: &Path, config: &serde_json::Value) -> Result<Option<String>, TemplateError> {
    const OWN: &str = "chat_template.jinja";
    match std::fs::read_to_string(folder.join(OWN)) {
        Ok(source) => return Ok(Some(source)),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(TemplateError::Io(OWN, error)),
        Err(_) => {}
    }
    let around = json(folder, "chat_template.json")?;
    let (name, found) = match around.as_ref().and_then(|around| around.get("chat_template")) {
        Some(found) => ("chat_template.json", Some(found)),
        None => ("tokenizer_config.json", config.get("chat_template")),
    };
    match found.filter(|found| !found.is_null()) {
        None => Ok(None),
        Some(found) => template_text(found).map(|source| Some(source.to_owned())).ok_or(TemplateError::UnknownForm(name)),
    }
}

/// The source in a `chat_template` field: a string, or of several named ones the only or the default one.
pub fn template_text(field: &serde_json::Value) -> Option<&str> {
    let serde_json::Value::Array(named) = field else { return field.as_str() };
    let default = named.iter().find(|one| one.get("name").is_some_and(|name| name == "default")).or(named.first())?;
    default.get("template")?.as_str()
}

fn json(folder: &Path, name: &'static str) -> Result<Option<serde_json::Value>, TemplateError> {
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => python_json::from_slice(&bytes).map(Some).map_err(|_| TemplateError::NotJson(name)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TemplateError::Io(name, error)),
    }
}

/// Removes the tags of `generation` blocks, which mark training targets and mean nothing at inference.
fn without_generation(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("{%")
        && let Some((block, behind)) = after.split_once("%}")
    {
        let name = block.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
        plain.push_str(before);
        plain.push_str("{%");
        match name {
            "generation" | "endgeneration" => {
                let word = if name == "generation" { "if true" } else { "endif" };
                plain.push_str(&block.replace(name, word));
            }
            _ => plain.push_str(block),
        }
        plain.push_str("%}");
        rest = behind;
    }
    plain.push_str(rest);
    plain
}

/// Python's string methods: those of minijinja-contrib, and some more.
fn python_methods(state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        state.consume_fuel((text.len() / PORTION) as u64)?;
        let first = arguments.first().and_then(Value::as_str);
        match (method, first) {
            ("rsplit", _) => return Ok(rsplit(text, first, arguments.get(1).and_then(Value::as_i64)).into()),
            ("removeprefix", Some(prefix)) => return Ok(text.strip_prefix(prefix).unwrap_or(text).into()),
            ("removesuffix", Some(suffix)) => return Ok(text.strip_suffix(suffix).unwrap_or(text).into()),
            ("partition", Some(by)) => {
                let (before, after) = text.split_once(by).map_or((text, None), |(before, after)| (before, Some(after)));
                let pieces = [before, if after.is_some() { by } else { "" }, after.unwrap_or_default()];
                return Ok(pieces.map(str::to_owned).to_vec().into());
            }
            ("rpartition", Some(by)) => {
                let (before, after) = text.rsplit_once(by).map_or((None, text), |(before, after)| (Some(before), after));
                let pieces = [before.unwrap_or_default(), if before.is_some() { by } else { "" }, after];
                return Ok(pieces.map(str::to_owned).to_vec().into());
            }
            _ => {}
        }
    }
    unknown_method_callback(state, value, method, arguments)
}

/// Python's `rsplit`: splits from the end at most `most` times, at white space without a separator.
fn rsplit(text: &str, by: Option<&str>, most: Option<i64>) -> Vec<String> {
    let mut cuts = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let mut pieces = Vec::new();
    let mut rest = if by.is_none() { text.trim_end() } else { text };
    while cuts > 0 {
        let cut = match by {
            Some(by) if !by.is_empty() => rest.rsplit_once(by),
            _ => rest.rsplit_once(char::is_whitespace).map(|(before, after)| (before.trim_end(), after)),
        };
        let Some((before, after)) = cut else { break };
        pieces.push(after.to_owned());
        rest = before;
        cuts -= 1;
    }
    if by.is_some() || !rest.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces.reverse();
    pieces
}

/// Writes JSON like Python's `json.dumps` in transformers: spaces after commas and colons, no HTML escapes.
fn to_json(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let only_ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut text = FueledText { state, text: Vec::new(), is_out: false };
    let written = match indent {
        Some(indent) => {
            let spaces = " ".repeat(indent.min(32));
            let formatter = PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, OneLine(CompactFormatter))),
    };
    let FueledText { text, is_out, .. } = text;
    if is_out {
        return Err(ErrorKind::OutOfFuel.into());
    }
    written.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    if only_ascii != Some(true) {
        return Ok(text);
    }
    let mut units = [0; 2];
    let escaped = text.chars().map(|c| match c {
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    });
    Ok(escaped.collect())
}

/// A text that is paid for as it grows: the same value may stand in a list many times.
struct FueledText<'a, 'b, 'c> {
    state: &'a State<'b, 'c>,
    text: Vec<u8>,
    /// Whether it was not paid for.
    is_out: bool,
}

impl std::io::Write for FueledText<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let portions = (self.text.len() + bytes.len()) / PORTION - self.text.len() / PORTION;
        if self.state.consume_fuel(portions as u64).is_err() {
            self.is_out = true;
            return Err(std::io::Error::other("too much"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Formats on one line with Python's separators.
struct OneLine(CompactFormatter);

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rendered(source: &str) -> String {
        let template = Template::new(source, vec![("bos_token", "<b>".to_owned())]).unwrap();
        template.render(&[ChatMessage { role: "user".to_owned(), content: "one two".to_owned() }]).unwrap()
    }

    // expected values come from Python 3
    #[test]
    fn string_methods_equal_python() {
        for (expression, value) in [
            ("'ab'.replace('a', 'c')", "cb"),
            ("'a b c'.rsplit(' ', 1) | join('|')", "a b|c"),
            ("' a  b '.rsplit() | join('|')", "a|b"),
            ("'a,b,'.rsplit(',') | join('|')", "a|b|"),
            ("'a b c'.split(' ')[-1]", "c"),
            ("'abc'.find('c')", "2"),
            ("'a\\nb'.splitlines() | length", "2"),
            ("'aa'.count('a')", "2"),
            ("', '.join(['a', 'b'])", "a, b"),
            ("'ab'.endswith(('b', 'c'))", "True"),
            ("'12'.isdigit()", "True"),
            ("'xab'.removeprefix('x')", "ab"),
            ("'a=b=c'.partition('=') | join('|')", "a|=|b=c"),
            ("messages[0].get('name', 'none')", "none"),
            ("messages[0].items() | length", "2"),
            ("{'b': 1, 'a': ['<', 'é']} | tojson", "{\"b\": 1, \"a\": [\"<\", \"é\"]}"),
            ("{'a': ['é']} | tojson(ensure_ascii=true)", "{\"a\": [\"\\u00e9\"]}"),
            ("{'a': 1} | tojson(indent=4)", "{\n    \"a\": 1\n}"),
            ("bos_token + (tools is none) | string", "<b>True"),
        ] {
            assert_eq!(rendered(&format!("{{{{ {expression} }}}}")), value, "{expression}");
        }
        assert_eq!(
            rendered("{% for i in [1, 2, 3] %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% break %}{% endfor %}"),
            "2"
        );
    }

    /// A stranger's template must end neither the portal nor its memory.
    #[test]
    fn what_a_template_takes_is_bounded() {
        let costly = [
            "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
            "{{ [1] | batch(1000000000, 0) | list | length }}",
            "{{ '%1000000000s' | format('a') }}",
            "{{ 'a\nb' | indent(1000000000) }}",
            "{{ 'a' * 1000000000 }}",
            "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
            "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x.replace('', n.x) %}{% endfor %}",
            "{% set n = namespace(x=['aaaaaaaaaa']) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | tojson }}",
            "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x.rsplit('b') | join('') + n.x %}{% endfor %}",
        ];
        for source in costly {
            let error = check_template(source).unwrap_err();
            assert!(matches!(error, TemplateError::TooCostly), "{source}: {error}");
        }
        let long = check_template(&"a".repeat(LONGEST + 1)).unwrap_err().to_string();
        assert_eq!(long, "it is longer than 256 KiB");
    }

    #[test]
    fn an_error_repeats_nothing_that_hides() {
        let error = check_template("{{ raise_exception('a\u{202e}b\u{1b}[31m') }}").unwrap_err().to_string();
        assert!(error.contains('a') && !error.chars().any(dyno_measure::words::is_invisible), "{error:?}");
    }

    #[test]
    fn a_long_conversation_is_rendered() {
        let source = "{% for message in messages %}{{ '<|' + message.role + '|>' }}{{ message.content | trim }}{% endfor %}";
        let template = Template::new(source, Vec::new()).unwrap();
        let long = ChatMessage { role: "user".to_owned(), content: "abcdefghij".repeat(1_000) };
        let messages: Vec<ChatMessage> = std::iter::repeat_n(long, 1_000).collect();
        assert_eq!(template.render(&messages).unwrap().len(), 1_000 * (10_000 + 8));
    }

    #[test]
    fn generation_marks_nothing() {
        let source = "a {%- generation -%} {{ messages[0].content }} {%- endgeneration -%} b{% generation %}c{% endgeneration %}";
        assert_eq!(rendered(source), "aone twobc");
    }

    #[test]
    fn a_template_lies_in_one_of_three_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let found = || Template::beside(folder.path()).unwrap().map(|template| template.render(&[]).unwrap());
        assert_eq!(found(), None);
        let named = json!([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]);
        write("tokenizer_config.json", &json!({"chat_template": named}).to_string());
        assert_eq!(found().as_deref(), Some("d"));
        write("chat_template.json", &json!({"chat_template": "j"}).to_string());
        assert_eq!(found().as_deref(), Some("j"));
        write("chat_template.jinja", "own");
        assert_eq!(found().as_deref(), Some("own"));
    }

    #[test]
    fn reasons_for_unusable_templates() {
        let why = |source: &str| check_template(source).unwrap_err().to_string();
        assert!(why("{% colour %}").contains("colour"));
        assert!(why("{{ raise_exception('no such thing') }}").contains("no such thing"));
        assert!(why("{{ 'a'.encode('utf-8') }}").contains("encode"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), "{\"chat_template\": [7]}").unwrap();
        assert_eq!(Template::beside(folder.path()).unwrap_err().to_string(), "tokenizer_config.json holds it in an unknown form");
        std::fs::write(folder.path().join("tokenizer_config.json"), "{").unwrap();
        assert_eq!(Template::beside(folder.path()).unwrap_err().to_string(), "tokenizer_config.json is not JSON");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(source in "(\\{[%{][-+ a-z'\\.()|]{0,12}[%}]\\}|[a-z ]){0,8}") {
            let _ = check_template(&source);
        }

        #[test]
        fn a_text_without_generation_is_left_as_it_is(source in "[{}% a-z\n-]{0,60}") {
            prop_assume!(!source.contains("generation"));
            prop_assert_eq!(without_generation(&source), source);
        }
    }
}
