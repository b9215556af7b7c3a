//! `service_name_template`.

use std::fmt;

use crate::config::item::shown;
use crate::config::reader::suggestion;

/// What a plugin that sets no template uses.
pub(super) const DEFAULT_TEMPLATE: &str = "{service_namespace}.{process_name}";

const PLACEHOLDERS: [&str; 4] = ["service_namespace", "process_name", "plugin_name", "group"];

/// The name of a service, complete but for the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// Texts with a group between each two.
    parts: Vec<String>,
}

/// What a template may insert.
pub(super) struct Values<'a> {
    pub(super) namespace: &'a str,
    pub(super) process_name: &'a str,
    pub(super) plugin: &'a str,
}

impl ServiceName {
    /// Fills a template. Values are inserted as they are: braces in them are
    /// text (contract P4).
    ///
    /// # Errors
    /// An unknown placeholder or an unmatched brace.
    pub(super) fn fill(template: &str, values: &Values<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let inner = rest[at..].strip_prefix('{');
            let Some((name, after)) = inner.and_then(|inner| inner.split_once('}')) else {
                return Err("a brace without its counterpart".to_owned());
            };
            match name {
                "service_namespace" => text.push_str(values.namespace),
                "process_name" => text.push_str(values.process_name),
                "plugin_name" => text.push_str(values.plugin),
                "group" => parts.push(std::mem::take(&mut text)),
                _ => {
                    let name = shown(name);
                    let hint = suggestion(&name, &PLACEHOLDERS);
                    return Err(format!("unknown placeholder {{{name}}}{hint}"));
                }
            }
            rest = after;
        }
        text.push_str(rest);
        parts.push(text);
        Ok(Self { parts })
    }

    /// Whether each group has a name of its own.
    #[must_use]
    pub fn has_group(&self) -> bool {
        self.parts.len() > 1
    }

    /// `service.name` of a group; without a placeholder it is that of all.
    #[must_use]
    pub fn of_group(&self, group: &str) -> String {
        self.parts.join(group)
    }
}

/// The name with `{group}` where the group goes.
impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of_group("{group}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str) -> Result<String, String> {
        let values = Values {
            namespace: "N {plugin_name}",
            process_name: "{group}",
            plugin: "p",
        };
        ServiceName::fill(template, &values).map(|name| name.of_group("{process_name}"))
    }

    #[test]
    fn values_are_inserted_once_and_as_they_are() {
        for (template, name) in [
            (DEFAULT_TEMPLATE, "N {plugin_name}.{group}"),
            ("{plugin_name}-{plugin_name}", "p-p"),
            ("{group}", "{process_name}"),
            ("a{group}b{group}", "a{process_name}b{process_name}"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(check(template).unwrap(), name);
        }
        for (template, message) in [
            ("{proces_name}", "did you mean `process_name`?"),
            ("{zzz}", "known here: service_namespace, process_name"),
            ("{}", "unknown placeholder"),
            ("{group", "brace"),
            ("group}", "brace"),
        ] {
            let error = check(template).unwrap_err();
            assert!(error.contains(message), "{template}: {error}");
        }
    }
}
