//! plugin.toml, written: a new one, and one made of `__init__.py`.

use std::fmt::Write;

use super::Plugin;

/// Programs that a new plugin is not about, unless its pattern finds them.
const OTHERS: [&str; 2] = ["bash", "cron"];

/// What a new plugin is about.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// Name of the plugin and of its directory.
    pub name: &'a str,
    /// Pattern of its processes.
    pub process_name: &'a str,
    /// `service.namespace`.
    pub namespace: &'a str,
}

/// The file of a new plugin: the few keys it needs, an example where the
/// pattern is a plain name, and what else there is as comments.
#[must_use]
pub fn new_plugin(template: Template<'_>) -> String {
    let Template {
        name,
        process_name,
        namespace,
    } = template;
    let mut text = format!(
        "# Checked by `sensor plugin check`; all keys: plugins/README.md.\n\
         [plugin]\n\
         name = {}\n\
         description = {}\n\
         version = \"1.0.0\"\n\
         \n\
         [service]\n\
         namespace = {}\n\
         # A regular expression, searched in the process name, in any case.\n\
         process_name = {}\n\
         \n\
         [monitoring]\n\
         interval = 60\n\
         enabled = true\n",
        quoted(name),
        quoted(&format!("Processes of {name}")),
        quoted(namespace),
        quoted(process_name),
    );
    text.push_str(
        "\n# [match]\n\
         # on = \"name\"                 # or exe, cmdline\n\
         # exclude = []\n\
         # include_descendants = false\n\
         \n\
         # [attributes]\n\
         # \"deployment.environment\" = \"production\"\n",
    );
    text.push_str(
        "\n# Processes that must, or must not, match: `sensor plugin check` tries them.\n",
    );
    let plain = process_name
        .chars()
        .all(|char| char.is_alphanumeric() || "-_. ".contains(char));
    let (mark, own) = match plain {
        true => ("", process_name),
        false => ("# ", "program"),
    };
    let mut example = |name: &str, matches: bool| {
        let _ = write!(
            text,
            "{mark}[[examples]]\n{mark}name = {}\n{mark}match = {matches}\n",
            quoted(name)
        );
    };
    example(own, true);
    let pattern = regex::RegexBuilder::new(process_name)
        .case_insensitive(true)
        .build();
    let finds = |name: &str| pattern.as_ref().is_ok_and(|regex| regex.is_match(name));
    if let Some(other) = OTHERS.iter().find(|other| !finds(other)) {
        example(other, false);
    }
    text
}

/// A plugin of `__init__.py` in the dialect of the guide. It reads as the
/// same plugin again.
#[must_use]
pub fn legacy_as_toml(plugin: &Plugin) -> String {
    let mut text = format!("[plugin]\nname = {}\n", quoted(&plugin.name));
    if let Some(version) = &plugin.version {
        let _ = writeln!(text, "version = {}", quoted(version));
    }
    let namespace = plugin.services.first().map_or("", |one| &*one.namespace);
    let _ = write!(text, "\n[service]\nnamespace = {}\n", quoted(namespace));
    let names: Vec<String> = plugin
        .services
        .iter()
        .map(|service| quoted(&service.pattern))
        .collect();
    let _ = match names.as_slice() {
        [name] => writeln!(text, "process_name = {name}"),
        names => writeln!(text, "process_names = [{}]", names.join(", ")),
    };
    text.push_str("\n[monitoring]\nenabled = true\n");
    if !plugin.attributes.is_empty() {
        text.push_str("\n[attributes]\n");
        for (key, value) in &plugin.attributes {
            let _ = writeln!(text, "{} = {}", quoted(key), quoted(value));
        }
    }
    text
}

/// A basic string of TOML, which may be a key, too (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}
