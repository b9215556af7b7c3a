//! An exception with the properties that Node shows: causes and members.

use super::{UNCAUGHT_HINT, caused, excerpt, frame, is_between, is_carets};
use crate::incident::exception::{
    Cause, Exception, Frame, Language, Relation,
    finish::Section,
    head::{self, Head},
    place,
};
use crate::incident::find::Find;

/// An exception of the text.
#[derive(Default)]
struct Part {
    relation: Option<Relation>,
    section: Section,
    /// Whether lines still belong to its message.
    message: bool,
}

/// What is shown of an exception, line by line.
#[derive(Default)]
struct Reader {
    done: Vec<Part>,
    open: Option<Part>,
    /// How far members of the list that is open are indented.
    members: Option<usize>,
}

pub(super) fn read(text: &str) -> Option<Exception> {
    let mut lines = text.rows().peekable();
    let place = lines.peek().and_then(|line| excerpt(line));
    let mut thrown = None;
    if place.is_some() {
        lines.next();
        // The code, the carets, a blank line.
        let mut carets = false;
        while let Some(line) = lines.next_if(|line| shown(line).is_none()) {
            if carets && excerpt(line).is_some() {
                // A worker's, behind that of who started it.
                carets = false;
                continue;
            }
            if carets && !line.is_empty() {
                // What was thrown is no error.
                thrown = Some(line);
                break;
            }
            carets |= is_carets(line);
        }
    }
    let place = place.map(|place| Frame {
        in_app: !place.file.starts_with("node:"),
        ..Frame {
            file: place::some(place.file),
            line: place.line,
            ..Frame::default()
        }
    });
    if let Some(message) = thrown {
        return Some(Exception {
            message: Some(message.to_owned()),
            frames: place.into_iter().collect(),
            ..Exception::new(Language::JavaScript, "")
        });
    }
    let mut reader = Reader::default();
    let first = lines.next()?;
    reader.begin(first, None);
    for line in lines {
        reader.line(line);
    }
    reader.done.extend(reader.open.take());
    let mut parts = reader.done.into_iter();
    let section = parts.next()?.section.trimmed();
    let mut frames = section.frames;
    // Where a text is no program only the excerpt tells the place.
    if let Some(place) = place
        && (frames.is_empty() || section.name == "SyntaxError")
        && place.in_app
        && place.file.as_deref().is_some_and(|file| file.has("/"))
        && !frames
            .iter()
            .any(|frame| frame.file == place.file && frame.line == place.line)
    {
        frames.insert(0, place);
    }
    let causes = parts.map(|part| {
        let relation = part.relation.unwrap_or(Relation::Cause);
        Cause::of(part.section.trimmed(), relation)
    });
    Some(Exception {
        message: section.message,
        frames,
        causes: causes.collect(),
        ..Exception::new(Language::JavaScript, section.name)
    })
}

impl Reader {
    /// An exception begins with this line.
    fn begin(&mut self, line: &str, relation: Option<Relation>) {
        let (section, object) = match shown(line) {
            Some(Shown { head, object }) => (Section::of(head), object),
            None => {
                let labelled = head::labelled(line.as_bytes()).and_then(|at| line.get(at..));
                let shown = labelled.and_then(shown);
                let object = shown.as_ref().is_some_and(|shown| shown.object);
                (
                    shown
                        .map(|shown| Section::of(shown.head))
                        .unwrap_or_default(),
                    object,
                )
            }
        };
        let next = Part {
            relation,
            section,
            message: !object,
        };
        self.done.extend(self.open.replace(next));
    }

    fn line(&mut self, line: &str) {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if frame::is_frame(line) || frame::is_firefox(line) {
            if let Some(open) = &mut self.open {
                if std::mem::take(&mut open.message) {
                    without_excerpt(&mut open.section);
                }
                open.section.frames.push(frame::read(line));
            }
        } else if let Some(rest) = text.strip_prefix("[cause]: ").or_else(|| caused(text)) {
            if shown(rest).is_some() {
                self.begin(rest, Some(Relation::Cause));
            }
        } else if text.starts_with("[errors]: [") || text.starts_with("errors: [") {
            self.members = Some(indent + 2);
        } else if self.members.is_some_and(|members| indent < members) && text.starts_with(']') {
            self.members = None;
        } else if self.members == Some(indent) && shown(text).is_some() {
            self.begin(text, Some(Relation::Member));
        } else if let Some(open) = self.open.as_mut().filter(|open| open.message)
            && !is_between(line)
            && !line.starts_with(UNCAUGHT_HINT)
            && !line.starts_with("Node.js v")
        {
            open.section.add_line(line);
        }
    }
}

/// Deno shows the line of the program between message and frames, with a caret
/// below.
fn without_excerpt(section: &mut Section) {
    let Some(message) = &mut section.message else {
        return;
    };
    let Some((before, carets)) = message.rcut("\n") else {
        return;
    };
    let Some((own, code)) = before.rcut("\n") else {
        return;
    };
    if is_carets(carets) && code.starts_with([' ', '\t']) {
        message.truncate(own.len());
    }
}

/// The first line of an exception as Node shows it.
struct Shown<'a> {
    head: Head<'a>,
    /// Whether properties follow at once: it has no stack.
    object: bool,
}

/// `Type: message`, `Type [CODE]: message`, `[Type: message] {`,
/// `Uncaught Type: message`.
fn shown(line: &str) -> Option<Shown<'_>> {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    // Node's own messages do not say `Error: ` of another error.
    let line = match line.starts_with("Error: ") {
        true => line,
        false => head::without_word(line),
    };
    if let Some(inner) = line.strip_prefix('[') {
        let object = inner.ends_with('{');
        let inner = inner.trim_end_matches(['{', ',', ' ']);
        let head = head::split(inner.strip_suffix(']').unwrap_or(inner))?;
        head::look(head.name.as_bytes())?;
        return Some(Shown { head, object });
    }
    head::look(line.as_bytes())?;
    let head = head::split(line).or_else(|| {
        let (name, rest) = line.cut(" [")?;
        let (_, rest) = rest.cut("]")?;
        let message = rest
            .strip_prefix(':')
            .map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
        Some(Head { name, message })
    })?;
    Some(Shown {
        head,
        object: false,
    })
}
