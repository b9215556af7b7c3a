//! A plugin of the Python framework: `__init__.py`, read and never executed
//! (contract P6).

use std::collections::BTreeMap;
use std::path::Path;

use super::Plugin;
use super::python::{Kind, Literal, Token, lines, literal};
use super::read::{Draft, ServiceFault, attribute, check_name, make_services};
use super::template::DEFAULT_TEMPLATE;
use crate::config::Problem;
use crate::config::item::shown;

const NAMESPACE: &str = "SERVICE_NAMESPACE";
const PROCESS: &str = "PROCESS_NAME";
const PROCESSES: &str = "PROCESS_NAMES";
const PLUGIN: &str = "PLUGIN_NAME";
const ATTRIBUTES: &str = "CUSTOM_ATTRIBUTES";
/// The names that are read.
const KNOWN: [&str; 5] = [NAMESPACE, PROCESS, PROCESSES, PLUGIN, ATTRIBUTES];

/// Keywords of statements whose bodies are not the file's own; on their line
/// may stand what looks like an assignment.
const COMPOUND: [&str; 13] = [
    "async", "class", "def", "elif", "else", "except", "finally", "for", "if", "match", "try",
    "while", "with",
];
/// More problems of one file say nothing new.
const MAX_PROBLEMS: usize = 200;

/// Reads a plugin; the problems are in the order of the file.
pub(super) fn read(file: &Path, source: &str, directory: &Path) -> (Draft, Vec<Problem>) {
    let mut reader = Reader {
        file,
        values: BTreeMap::new(),
        problems: Vec::new(),
        plugin: Plugin {
            directory: Some(directory.to_owned()),
            ..Plugin::default()
        },
    };
    let (lines, faults) = lines(source);
    for fault in faults {
        let message = format!("not valid Python: {}", fault.message);
        reader.problem(Some(fault.line), None, message);
    }
    for line in lines.iter().filter(|line| !line.indented) {
        let first = line.tokens.first().map(|token| &token.kind);
        let compound = matches!(first, Some(Kind::Name(word)) if COMPOUND.contains(&&**word));
        let decorator = matches!(first, Some(Kind::Sign('@')));
        if !compound && !decorator {
            let is_end = |token: &Token| token.kind == Kind::Sign(';');
            line.tokens
                .split(is_end)
                .for_each(|one| reader.statement(one));
        }
    }
    let places = reader.plugin();
    let Reader {
        plugin,
        mut problems,
        ..
    } = reader;
    problems.sort();
    problems.truncate(MAX_PROBLEMS);
    (Draft { plugin, places }, problems)
}

struct Reader<'a> {
    file: &'a Path,
    /// Last value of each known name, with its line; `None` is unusable.
    values: BTreeMap<&'static str, (usize, Option<Literal>)>,
    problems: Vec<Problem>,
    plugin: Plugin,
}

impl Reader<'_> {
    /// Keeps the value of an assignment to a known name.
    fn statement(&mut self, tokens: &[Token]) {
        let is_assignment = |token: &Token| token.kind == Kind::Sign('=');
        let parts: Vec<&[Token]> = split_outside(tokens, is_assignment);
        let (Some(value), targets) = (parts.last(), &parts[..parts.len().saturating_sub(1)]) else {
            return;
        };
        if targets.is_empty() {
            self.changed(tokens);
            return;
        }
        let value = literal(value);
        for target in targets {
            let name = target.first().and_then(known);
            let plain = target.len() == 1;
            let annotated = matches!(
                target,
                [
                    _,
                    Token {
                        kind: Kind::Sign(':'),
                        ..
                    },
                    ..
                ]
            );
            match name {
                Some(name) if plain || annotated => {
                    let line = target.first().map_or(0, |token| token.line);
                    if let Err(reason) = &value {
                        let message = format!("{reason}; write it out, or write a plugin.toml");
                        self.problem(Some(line), Some(name), message);
                    }
                    self.values.insert(name, (line, value.clone().ok()));
                }
                _ => self.target(target),
            }
        }
    }

    /// A known name in a target that is no plain name: `A, B = …`, `A[0] = …`.
    fn target(&mut self, target: &[Token]) {
        let whole = matches!(
            target.first().map(|token| &token.kind),
            Some(Kind::Sign('(' | '[' | '*'))
        );
        let commas = split_outside(target, |token| token.kind == Kind::Sign(','));
        let parts = if whole { vec![target] } else { commas };
        for part in parts {
            let names = if whole {
                part
            } else {
                &part[..part.len().min(1)]
            };
            for token in names {
                if let Some(name) = known(token) {
                    let message = "is not set by a plain assignment; write NAME = value";
                    self.problem(Some(token.line), Some(name), message.to_owned());
                    self.values.insert(name, (token.line, None));
                }
            }
        }
    }

    /// `A += …` and `A.append(…)` change a value in a way that is not read.
    fn changed(&mut self, tokens: &[Token]) {
        let [first, second, ..] = tokens else { return };
        let changes = matches!(second.kind, Kind::Operator | Kind::Sign('.' | '['));
        // A comparison changes nothing, but nobody writes one that goes nowhere.
        if let Some(name) = known(first).filter(|_| changes) {
            let message = "is changed in a way that is not read; write the whole value out";
            self.problem(Some(first.line), Some(name), message.to_owned());
            self.values.insert(name, (first.line, None));
        }
    }

    /// Makes the plugin of the values; the answer is where its services stand.
    fn plugin(&mut self) -> Vec<(usize, String)> {
        if let Some((line, name)) = self.text(PLUGIN) {
            if let Err(message) = check_name(&name) {
                self.problem(Some(line), Some(PLUGIN), message);
            }
            self.plugin.name = name;
        }
        let namespace = self.text(NAMESPACE).map(|(_, text)| text);
        let (key, processes) = self.processes();
        self.attributes();
        let names: Vec<&str> = processes.iter().map(|(_, name)| &**name).collect();
        let namespace = namespace.unwrap_or_default();
        let (made, faults) = make_services(&mut self.plugin, &namespace, &names, DEFAULT_TEMPLATE);
        for fault in faults {
            let (index, message) = match fault {
                ServiceFault::Pattern(index, message) => (index, message),
                ServiceFault::Template(message) => (0, message),
            };
            let line = processes.get(index).map(|(line, _)| *line);
            self.problem(line, Some(key), message);
        }
        let places = made.into_iter().filter_map(|index| processes.get(index));
        places.map(|(line, _)| (*line, key.to_owned())).collect()
    }

    /// The text of a name that must be there.
    fn text(&mut self, name: &'static str) -> Option<(usize, String)> {
        match self.values.remove(name) {
            None => {
                self.problem(None, Some(name), "is missing".to_owned());
                None
            }
            Some((_, None)) => None,
            Some((line, Some(Literal::Text(text)))) => Some((line, text)),
            Some((line, Some(other))) => {
                let message = wrong("a string", &other);
                self.problem(Some(line), Some(name), message);
                None
            }
        }
    }

    /// The process names, each with its line, and the name that has them.
    fn processes(&mut self) -> (&'static str, Vec<(usize, String)>) {
        let Some((line, value)) = self.values.remove(PROCESSES) else {
            if self.values.contains_key(PROCESS) {
                return (PROCESS, self.text(PROCESS).into_iter().collect());
            }
            let message = format!("is missing (or {PROCESSES})");
            self.problem(None, Some(PROCESS), message);
            return (PROCESS, Vec::new());
        };
        if self.values.remove(PROCESS).is_some() {
            let message = format!("{PROCESS} is there too; keep one of the two");
            self.problem(Some(line), Some(PROCESSES), message);
            return (PROCESSES, Vec::new());
        }
        let elements = match value {
            None => return (PROCESSES, Vec::new()),
            Some(Literal::List(elements)) => elements,
            Some(other) => {
                let message = wrong("a list of strings", &other);
                self.problem(Some(line), Some(PROCESSES), message);
                return (PROCESSES, Vec::new());
            }
        };
        if elements.is_empty() {
            let message = "is empty; name at least one process".to_owned();
            self.problem(Some(line), Some(PROCESSES), message);
        }
        let mut names = Vec::new();
        for (line, element) in elements {
            match element {
                Literal::Text(name) => names.push((line, name)),
                other => self.problem(Some(line), Some(PROCESSES), wrong("a string", &other)),
            }
        }
        (PROCESSES, names)
    }

    fn attributes(&mut self) {
        let entries = match self.values.remove(ATTRIBUTES) {
            None | Some((_, None)) => return,
            Some((_, Some(Literal::Dict(entries)))) => entries,
            Some((line, Some(other))) => {
                let message = wrong("a dictionary", &other);
                return self.problem(Some(line), Some(ATTRIBUTES), message);
            }
        };
        // As in Python, the last of several equal keys counts.
        let mut attributes = BTreeMap::new();
        for (line, key, value) in entries {
            let Literal::Text(key) = key else {
                let message = format!("wrong type of a key: {}", wrong("a string", &key));
                self.problem(Some(line), Some(ATTRIBUTES), message);
                continue;
            };
            match value {
                Literal::Text(value) | Literal::Scalar(value) => {
                    attributes.insert(key, (line, value));
                }
                other => {
                    let found = wrong("a string, a number, True or False", &other);
                    let message = format!("\"{}\": {found}", shown(&key));
                    self.problem(Some(line), Some(ATTRIBUTES), message);
                }
            }
        }
        for (key, (line, value)) in attributes {
            let shown = shown(&key);
            if let Err(message) = attribute(&mut self.plugin, key, value) {
                let message = format!("\"{shown}\": {message}");
                self.problem(Some(line), Some(ATTRIBUTES), message);
            }
        }
    }

    fn problem(&mut self, line: Option<usize>, key: Option<&str>, message: String) {
        self.problems.push(Problem {
            line,
            key: key.map(str::to_owned),
            ..Problem::file(self.file, message)
        });
    }
}

fn wrong(wanted: &str, found: &Literal) -> String {
    format!("wrong type: expected {wanted}, found {}", found.kind())
}

/// The known name that a token is.
fn known(token: &Token) -> Option<&'static str> {
    let Kind::Name(name) = &token.kind else {
        return None;
    };
    KNOWN.iter().copied().find(|known| known == name)
}

/// The parts between tokens outside of brackets.
fn split_outside(tokens: &[Token], separates: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Sign('(' | '[' | '{') => depth += 1,
            Kind::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ if depth == 0 && separates(token) => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}
