//! A TOML file read against the keys that exist, with every fault recorded.
//!
//! serde stops at the first fault, and a person then repairs a file one run
//! at a time. Here a schema asks each [`Table`] for the keys it knows; an
//! answer of the wrong type is recorded and read as absent, and
//! [`Table::finish`] records the keys nobody asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use toml::de::DeTable;

use super::item::{Item, shown};
use super::problem::Problem;
use super::syntax::{self, Parsed};

/// More faults than these are counted, not listed.
const MAX_PROBLEMS: usize = 200;
/// Longer names are not compared with the known ones.
const MAX_COMPARED_CHARS: usize = 64;
/// Less alike than this is another word, not a slip.
const LEAST_SIMILARITY: f64 = 0.7;

/// One file: its tree, the places of its lines, and what was found wrong.
pub struct Document<'t> {
    file: &'t Path,
    tree: DeTable<'t>,
    newlines: Vec<usize>,
    /// Lines that are not TOML; the tree says nothing reliable of them.
    broken_lines: BTreeSet<usize>,
    /// Something is missing in the tree that may be in the text.
    incomplete: bool,
    /// Keys may stand below the wrong table.
    misplaced: bool,
    notes: RefCell<Notes>,
}

/// What the reading of a document left behind.
#[derive(Debug, Default)]
pub struct Notes {
    /// Faults, by line.
    pub problems: Vec<Problem>,
    /// What is accepted and without effect, by line.
    pub warnings: Vec<Problem>,
    /// Dotted keys that were there and known.
    pub present: BTreeSet<String>,
    /// Dotted keys that were asked for: all that the schema knows.
    #[cfg(test)]
    pub(crate) asked: BTreeSet<String>,
    unlisted: usize,
}

impl<'t> Document<'t> {
    /// Reads `text`, the content of `file`. Never fails: what is not TOML is
    /// a recorded problem.
    #[must_use]
    pub fn parse(file: &'t Path, text: &'t str) -> Self {
        let Parsed { tree, faults } = syntax::parse(text);
        let mut document = Self {
            file,
            tree: tree.into_inner(),
            newlines: text.match_indices('\n').map(|(at, _)| at).collect(),
            broken_lines: BTreeSet::new(),
            incomplete: false,
            misplaced: false,
            notes: RefCell::default(),
        };
        let mut named = BTreeSet::new();
        for fault in faults {
            let line = fault.offset.map(|offset| document.line(offset));
            if !fault.harmless {
                document.incomplete = true;
                match line {
                    None => document.misplaced = true,
                    // Each line is looked at once: a line may have many faults.
                    Some(line) if document.broken_lines.insert(line) => {
                        let start = document.line_start(line);
                        let header = text.get(start..).and_then(|rest| rest.split('\n').next());
                        document.misplaced |=
                            header.is_none_or(|line| line.trim_start().starts_with('['));
                    }
                    Some(_) => {}
                }
            }
            // A parser that lost its way reports a line several times.
            if named.insert(line) {
                document.push(line, fault.key, fault.message);
            }
        }
        document
    }

    /// The top of the tree.
    #[must_use]
    pub fn root(&self) -> Table<'_> {
        Table::new(self, String::new(), None, Some(&self.tree))
    }

    /// All that was noted, in the order of the file.
    #[must_use]
    pub fn into_notes(self) -> Notes {
        let mut notes = self.notes.into_inner();
        notes.problems.sort();
        notes.warnings.sort();
        if notes.unlisted > 0 {
            let message = format!("{} more problems are not listed", notes.unlisted);
            notes.problems.push(Problem::file(self.file, message));
        }
        notes
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        self.newlines.partition_point(|&newline| newline < offset) + 1
    }

    fn line_start(&self, line: usize) -> usize {
        let before = line
            .checked_sub(2)
            .and_then(|index| self.newlines.get(index));
        before.map_or(0, |newline| newline + 1)
    }

    /// Records a fault of the tree, unless it may come of a fault of the text.
    pub(super) fn fault(&self, line: Option<usize>, key: String, message: String) {
        let broken = line.is_some_and(|line| self.broken_lines.contains(&line));
        if !self.misplaced && !broken {
            self.push(line, Some(key), message);
        }
    }

    /// Whether some of the text is no TOML, so that parts of the tree are
    /// missing or made up by the parser.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    fn push(&self, line: Option<usize>, key: Option<String>, message: String) {
        let mut notes = self.notes.borrow_mut();
        if notes.problems.len() >= MAX_PROBLEMS {
            notes.unlisted += 1;
        } else {
            let problem = self.problem(line, key, message);
            notes.problems.push(problem);
        }
    }

    fn problem(&self, line: Option<usize>, key: Option<String>, message: String) -> Problem {
        Problem {
            file: self.file.to_owned(),
            line,
            key,
            message,
        }
    }
}

/// A table, present or not, that is asked for the keys it may have.
pub struct Table<'d> {
    document: &'d Document<'d>,
    path: String,
    line: Option<usize>,
    entries: Option<&'d DeTable<'d>>,
    known: Vec<&'static str>,
    ignored: Vec<String>,
}

impl<'d> Table<'d> {
    /// The value of a key that may be there.
    pub fn take(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.known.push(key);
        self.asked(key);
        let item = self.entry(key)?;
        let mut notes = self.document.notes.borrow_mut();
        notes.present.insert(item.key().to_owned());
        Some(item)
    }

    /// The value of a key that must be there; its absence is a problem.
    pub fn require(&mut self, key: &'static str) -> Option<Item<'d>> {
        let item = self.take(key);
        if item.is_none() {
            self.missing(key, "is missing".to_owned());
        }
        item
    }

    /// Records a fault of the table as a whole.
    pub fn fault(&self, message: String) {
        self.document.fault(self.line, self.path.clone(), message);
    }

    /// Records that `key` should be here, in `message`'s words.
    pub fn missing(&self, key: &str, message: String) {
        if !self.document.incomplete {
            self.document.fault(self.line, self.join(key), message);
        }
    }

    /// A table below this one; an absent one has no keys.
    #[must_use]
    pub fn table(&mut self, key: &'static str) -> Self {
        let item = self.take(key);
        let entries = item.as_ref().and_then(Item::table);
        Self::new(
            self.document,
            self.join(key),
            item.as_ref().map(Item::line),
            entries,
        )
    }

    pub(super) fn new(
        document: &'d Document<'d>,
        path: String,
        line: Option<usize>,
        entries: Option<&'d DeTable<'d>>,
    ) -> Self {
        Self {
            document,
            path,
            line,
            entries,
            known: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// The tables of an array `[[key]]`, each with its own line.
    pub fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some(item) = self.take(key) else {
            return Vec::new();
        };
        if item.is_table() {
            let path = self.join(key);
            item.fault(format!("may be there several times; write [[{path}]]"));
            return Vec::new();
        }
        let elements = item.elements().unwrap_or_default().into_iter();
        let tables = elements.map(|element| {
            let (line, entries) = (Some(element.line()), element.table());
            Self::new(self.document, self.join(key), line, entries)
        });
        tables.filter(Self::is_present).collect()
    }

    /// Whether the table is in the file.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Line of the table, from 1, where it is in the file.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// Accepts a key without effect, whatever its value, with a warning.
    pub fn ignore(&mut self, key: &str, reason: &str) {
        self.ignored.push(key.to_owned());
        self.asked(key);
        let Some(item) = self.entry(key) else { return };
        let message = format!("has no effect: {reason}");
        let warning =
            self.document
                .problem(Some(item.line()), Some(item.key().to_owned()), message);
        self.document.notes.borrow_mut().warnings.push(warning);
    }

    /// Accepts all keys that begin with `prefix` as [`Table::ignore`] does.
    pub fn ignore_prefix(&mut self, prefix: &str, reason: &str) {
        let keys: Vec<String> = self
            .keys()
            .filter(|key| key.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        for key in keys {
            self.ignore(&key, reason);
        }
    }

    /// Records every key that nobody asked for.
    pub fn finish(self) {
        for key in self.keys() {
            let known = self.known.contains(&key) || self.ignored.iter().any(|name| name == key);
            if known {
                continue;
            }
            if let Some(item) = self.entry(key) {
                let kind = if item.is_table() { "table" } else { "key" };
                item.fault(format!("unknown {kind}{}", suggestion(key, &self.known)));
            }
        }
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "for tests"))]
    fn asked(&self, _key: &str) {
        #[cfg(test)]
        self.document
            .notes
            .borrow_mut()
            .asked
            .insert(self.join(_key));
    }

    fn keys(&self) -> impl Iterator<Item = &'d str> {
        self.entries
            .into_iter()
            .flat_map(DeTable::keys)
            .map(|key| key.get_ref().as_ref())
    }

    fn entry(&self, key: &str) -> Option<Item<'d>> {
        let (name, value) = self.entries?.get_key_value(key)?;
        if self.document.is_incomplete() && value.span().is_empty() {
            return None;
        }
        let line = self.document.line(name.span().start);
        Some(Item::new(
            self.document,
            self.join(key),
            line,
            value.get_ref(),
        ))
    }

    fn join(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

/// `path.key`, with a key quoted that would not read as one.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let name = if bare && key.chars().count() <= MAX_COMPARED_CHARS {
        key.to_owned()
    } else {
        format!("\"{}\"", shown(key))
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

/// The nearest of the known names, or all of them where none is near.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    let lower = name.to_lowercase();
    let nearest = known
        .iter()
        .filter(|_| lower.chars().count() <= MAX_COMPARED_CHARS)
        .map(|candidate| (strsim::jaro_winkler(&lower, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((similarity, nearest)) if similarity >= LEAST_SIMILARITY => {
            format!("; did you mean `{nearest}`?")
        }
        _ if known.is_empty() => "; nothing is known here".to_owned(),
        _ => format!("; known here: {}", known.join(", ")),
    }
}
