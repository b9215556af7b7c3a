//! The body of a webhook, written by a person: text with `{{key}}` in it.

use serde_json::{Map, Value};

use crate::config::{item::shown, reader::suggestion};

/// Keys of an incident by which a slip of the pen is found. Others below
/// [`FAMILIES`] are taken as they are.
const KEYS: [&str; 40] = [
    "body",
    "causes",
    "code.column.number",
    "code.file.path",
    "code.function.name",
    "code.line.number",
    "exception.message",
    "exception.stacktrace",
    "exception.type",
    "frames",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "language",
    "log.file.path",
    "log.iostream",
    "log.record.original",
    "observed_time_unix_nano",
    "process.command_args",
    "process.creation.time",
    "process.executable.name",
    "process.executable.path",
    "process.exit.code",
    "process.pid",
    "sensor.exit.core_dumped",
    "sensor.exit.signal",
    "sensor.incident.cause",
    "sensor.incident.count",
    "sensor.incident.fingerprint",
    "sensor.incident.id",
    "sensor.incident.kind",
    "sensor.incident.last_words",
    "sensor.log.format",
    "sensor.log.logger",
    "sensor.signal.sender.name",
    "sensor.signal.sender.pid",
    "service.name",
    "severity_number",
    "severity_text",
    "time_unix_nano",
];
const FAMILIES: [&str; 6] = [
    "sensor.context.",
    "process.",
    "sensor.",
    "http.",
    "url.",
    "log.",
];

/// A template that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    /// What comes out is JSON.
    is_json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Within a string of JSON, or of a template that is no JSON: the value as
    /// text, escaped as in JSON.
    Quoted(String),
    /// Elsewhere in JSON: the value itself, `null` where there is none.
    Bare(String),
}

impl Template {
    /// Reads `{"text": "{{exception.type}}", "pid": {{process.pid}}}`.
    ///
    /// # Errors
    /// A placeholder that is not closed, or whose key no incident has.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut quoted = false;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((key, after)) = after.split_once("}}") else {
                return Err(format!(
                    "a placeholder is not closed: `{{{{{}`; write it as {{{{exception.type}}}}",
                    shown(after)
                ));
            };
            quoted = within_quotes(before, quoted);
            parts.push(Part::Text(before.to_owned()));
            let key = known(key.trim())?;
            parts.push(match quoted {
                true => Part::Quoted(key),
                false => Part::Bare(key),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let mut template = Self {
            text: text.to_owned(),
            parts,
            is_json: true,
        };
        let example = template.fill(&Map::new());
        template.is_json = serde_json::from_str::<Value>(&example).is_ok();
        Ok(template)
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether what comes out is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The body for one incident. What it does not know is empty, or `null`
    /// outside of quotes.
    #[must_use]
    pub fn fill(&self, incident: &Map<String, Value>) -> String {
        let mut body = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => body.push_str(text),
                Part::Bare(key) if self.is_json => match incident.get(key) {
                    Some(value) => body.push_str(&value.to_string()),
                    None => body.push_str("null"),
                },
                Part::Bare(key) | Part::Quoted(key) => {
                    let text = match incident.get(key) {
                        None => String::new(),
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                    };
                    let quoted = Value::from(text).to_string();
                    body.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
                }
            }
        }
        body
    }
}

/// Whether the end of `text` lies within a string of JSON.
fn within_quotes(text: &str, mut quoted: bool) -> bool {
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    quoted
}

fn known(key: &str) -> Result<String, String> {
    let in_family = |family: &&str| key.starts_with(*family) && !key.ends_with('.');
    if KEYS.contains(&key) || FAMILIES.iter().any(in_family) {
        return Ok(key.to_owned());
    }
    Err(format!(
        "no incident has the key `{}`{}",
        shown(key),
        suggestion(key, &KEYS)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(text: &str) -> String {
        let incident = json!({
            "exception.type": "Key\"Error",
            "exception.message": "line 1\nline 2\u{1b}",
            "process.pid": 7,
            "service.name": ["a", "b"],
        });
        let Value::Object(map) = incident else {
            unreachable!()
        };
        Template::parse(text).unwrap().fill(&map)
    }

    #[test]
    fn what_comes_out_is_json_where_the_template_is() {
        for (template, wanted) in [
            (
                r#"{"text": "{{exception.type}}: {{ exception.message }}"}"#,
                json!({"text": "Key\"Error: line 1\nline 2\u{1b}"}),
            ),
            (
                r#"{"a\"{{process.pid}}": {{process.pid}}, "s": {{service.name}}}"#,
                json!({"a\"7": 7, "s": ["a", "b"]}),
            ),
            (
                r#"{"t": {{exception.type}}, "n": {{body}}, "s": "{{service.name}}-{{body}}"}"#,
                json!({"t": "Key\"Error", "n": null, "s": "[\"a\",\"b\"]-"}),
            ),
            ("{{process.pid}}", json!(7)),
        ] {
            let body = filled(template);
            let parsed: Value = serde_json::from_str(&body).expect(&body);
            assert_eq!(parsed, wanted, "{template}");
            assert!(Template::parse(template).unwrap().is_json());
        }
    }

    #[test]
    fn other_text_stays_one_line_per_value() {
        let template = "{{exception.type}} in {{process.pid}}: {{exception.message}}";
        assert_eq!(filled(template), r#"Key\"Error in 7: line 1\nline 2\u001b"#);
        assert!(!Template::parse(template).unwrap().is_json());
    }

    #[test]
    fn slips_are_found() {
        for (template, message) in [
            ("{{exception.typ}}", "did you mean `exception.type`?"),
            ("{{}}", "no incident has the key ``"),
            ("{{exception.type", "not closed"),
            ("{{sensor.context.}}", "no incident has"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.contains(message), "{template}: {error}");
        }
        assert!(Template::parse("{{sensor.context.git.commit}}").is_ok());
        assert_eq!(Template::parse("no placeholder }}").unwrap().parts.len(), 1);
    }
}
