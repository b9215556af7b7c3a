//! Tracebacks behind tracebacks, and groups of them within.

use super::{CAUSE, CONTEXT, GROUP, QUOTES, TRACEBACK};
use crate::incident::exception::{
    Cause, Exception, Frame, Language, Relation,
    finish::Section,
    head,
    place::{self, leading_number},
};
use crate::incident::find::Find;

/// How deep groups may be nested.
const MAX_DEPTH: usize = 64;

/// A line without its margin, or what stands deeper.
enum Item<'a> {
    Line(&'a str),
    /// The members of the group that was named last.
    Members(Vec<Vec<&'a str>>),
}

/// One traceback.
#[derive(Default)]
struct Traceback {
    section: Section,
    /// How it belongs to the next one.
    link: Option<Relation>,
    members: Vec<Vec<Self>>,
    named: bool,
    /// It is between quotes: another process printed it.
    quoted: bool,
}

/// Reads a whole text: the last traceback is the incident.
pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Exception> {
    let mut chain = tracebacks(&items(lines, 2), 0);
    let last = chain.pop()?;
    if !last.named && last.section.frames.is_empty() && chain.is_empty() {
        return None;
    }
    let mut causes = Vec::new();
    flatten_chain(chain, &mut causes);
    flatten_members(last.members, &mut causes);
    let section = finished(last.section);
    Some(Exception {
        message: section.message,
        frames: section.frames,
        causes,
        ..Exception::new(Language::Python, section.name)
    })
}

/// Nearest first.
fn flatten_chain(chain: Vec<Traceback>, causes: &mut Vec<Cause>) {
    for traceback in chain.into_iter().rev() {
        let relation = traceback.link.unwrap_or(Relation::Context);
        causes.push(Cause::of(finished(traceback.section), relation));
        flatten_members(traceback.members, causes);
    }
}

fn flatten_members(members: Vec<Vec<Traceback>>, causes: &mut Vec<Cause>) {
    for mut chain in members {
        if let Some(last) = chain.pop() {
            causes.push(Cause::of(finished(last.section), Relation::Member));
            flatten_chain(chain, causes);
            flatten_members(last.members, causes);
        }
    }
}

fn finished(section: Section) -> Section {
    let mut section = section.trimmed();
    section.frames.reverse();
    section
}

/// Takes the margin at column `margin` off and puts aside what stands deeper.
/// Lines without a margin are as they are.
fn items<'a>(lines: impl Iterator<Item = &'a str>, margin: usize) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    let mut members: Vec<Vec<&'a str>> = Vec::new();
    // A margin is one only after the header of a group.
    let mut group = margin > 2;
    // The end of the innermost group, if it is the last line with a margin, is
    // that of all.
    let mut ended = false;
    for line in lines {
        group |= line == GROUP;
        let column = if group { column(line) } else { None };
        let over = ended;
        ended = column.is_some() && is_end(line);
        match column {
            Some(column) if column > margin => {
                if column == margin + 2
                    && line[column..].starts_with("+-")
                    && !line[column..].starts_with("+-+-")
                {
                    if line.bytes().any(|byte| byte.is_ascii_digit()) {
                        members.push(Vec::new());
                    } else {
                        items.push(Item::Members(std::mem::take(&mut members)));
                    }
                } else if let Some(member) = members.last_mut() {
                    member.push(line);
                }
                continue;
            }
            // `+-+---- 1 ----`: the first member.
            Some(_)
                if line
                    .get(margin..)
                    .is_some_and(|text| text.starts_with("+-+-")) =>
            {
                members.push(Vec::new());
                continue;
            }
            None if !over && let Some(member) = members.last_mut() => {
                member.push(line);
                continue;
            }
            _ => {}
        }
        if !members.is_empty() {
            items.push(Item::Members(std::mem::take(&mut members)));
        }
        let text = match column {
            Some(_) => line.get(margin + 2..).unwrap_or_default(),
            None => line,
        };
        items.push(Item::Line(text));
    }
    if !members.is_empty() {
        items.push(Item::Members(members));
    }
    items
}

/// `+------`, which closes a group.
fn is_end(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    let dashes = text.strip_prefix("+-");
    dashes.is_some_and(|dashes| dashes.bytes().all(|byte| byte == b'-'))
}

/// The column of the margin: `|` or `+` after nothing but blanks.
fn column(line: &str) -> Option<usize> {
    let text = line.trim_start_matches(' ');
    let column = line.len() - text.len();
    (column >= 2 && (text.starts_with('|') || text.starts_with("+-") || text.starts_with("+ E")))
        .then_some(column)
}

fn tracebacks(items: &[Item<'_>], depth: usize) -> Vec<Traceback> {
    let mut chain = Vec::new();
    let mut open = Traceback::default();
    let mut linked = false;
    for item in items {
        match item {
            Item::Members(members) if depth < MAX_DEPTH => {
                let margin = 2 * (depth + 2);
                for lines in members {
                    let items = self::items(lines.iter().copied(), margin);
                    open.members.push(tracebacks(&items, depth + 1));
                }
            }
            Item::Members(_) => {}
            Item::Line(line) => {
                let link = match *line {
                    CONTEXT => Some(Relation::Context),
                    CAUSE => Some(Relation::Cause),
                    _ => None,
                };
                if link.is_some() && open.named {
                    open.link = link;
                    let quoted = open.quoted;
                    chain.push(std::mem::take(&mut open));
                    open.quoted = quoted;
                    linked = true;
                } else if !(linked && line.is_empty()) {
                    linked = false;
                    open.add(line);
                }
            }
        }
    }
    // A link at the end of a text that was cut leads nowhere.
    if open.named || !open.section.frames.is_empty() || chain.is_empty() {
        chain.push(open);
    }
    chain
}

impl Traceback {
    fn add(&mut self, line: &str) {
        if line == QUOTES && self.quoted {
            self.quoted = false;
        } else if line == QUOTES && self.section.name.ends_with("RemoteTraceback") {
            // What stands between the quotes is the exception.
            self.section = Section::default();
            (self.named, self.quoted) = (false, true);
        } else if self.named {
            self.section.add_line(line);
        } else if let Some(frame) = frame(line) {
            self.section.frames.push(frame);
        } else if !line.starts_with(' ')
            && !line.is_empty()
            && line.trim_end() != TRACEBACK
            && !line.ends_with("Exception Group Traceback (most recent call last):")
            && let Some(head) = exception(line)
        {
            self.named = true;
            let frames = std::mem::take(&mut self.section.frames);
            self.section = Section {
                frames,
                ..Section::of(head)
            };
        }
    }
}

/// `Type: message`, `Type`.
fn exception(line: &str) -> Option<head::Head<'_>> {
    let (name, message) = match line.cut(":") {
        Some((name, rest)) => (name, Some(rest.strip_prefix(' ').unwrap_or(rest))),
        None => (line.trim_end(), None),
    };
    (!name.is_empty() && !name.has(" ")).then_some(head::Head { name, message })
}

/// `  File "x.py", line 3, in f`.
fn frame(line: &str) -> Option<Frame> {
    let rest = line
        .strip_prefix("  File \"")
        .or_else(|| line.strip_prefix("> File \""))?;
    let (file, rest) = rest.rcut("\", line ")?;
    let (number, rest) = leading_number(rest)?;
    let function = rest.strip_prefix(", in ").unwrap_or_default();
    Some(Frame {
        function: place::some(function),
        module: None,
        file: place::some(file),
        line: Some(number),
        column: None,
        in_app: !is_library(file),
    })
}

pub fn is_library(file: &str) -> bool {
    if place::is_package(file) || file.starts_with("<frozen ") {
        return true;
    }
    let mut rest = file;
    while let Some((_, after)) = rest.cut("lib") {
        let python = ["/python", "64/python", "/pypy"]
            .iter()
            .find_map(|dir| after.strip_prefix(dir));
        if python.is_some_and(|version| !version.is_empty() && !version.starts_with('/')) {
            return true;
        }
        rest = after;
    }
    false
}
