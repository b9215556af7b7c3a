//! Elixir, and what Erlang says by itself: `escript`, the shell, reports of
//! processes that crashed.

mod erlang;

use super::{
    Begin, Cause, Exception, ExceptionParser, First, Frame, Language, Next, Relation, Sign, State,
    finish::Section,
    place::{self, leading_number},
};
use crate::incident::find::Find;

pub struct Elixir;

/// A message.
const MESSAGE: u32 = 0;
/// Frames.
const FRAMES: u32 = 1;
/// What a process was doing.
const CONTEXT: u32 = 2;
/// Erlang's own words.
const ERLANG: u32 = 3;
/// The same, and a term is next.
const TERM: u32 = 4;

const STARS: &str = "** (";

impl ExceptionParser for Elixir {
    fn language(&self) -> Language {
        Language::Elixir
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Text(STARS),
            Sign::Text("exception error: "),
            Sign::Text("exception exit: "),
            Sign::Text("exception throw: "),
            Sign::Text("Error in process <"),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let state = |part| State { part, number: 0 };
        if erlang::begins(text) {
            let part = if erlang::names_process(text) {
                TERM
            } else {
                ERLANG
            };
            return Some(Begin::Sure(state(part)));
        }
        head(text).map(|_| Begin::Sure(state(MESSAGE)))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let Ok(text) = std::str::from_utf8(line) else {
            return Next::No;
        };
        if state.part == TERM {
            state.part = ERLANG;
            return if text.starts_with(['{', '[']) {
                Next::Part
            } else {
                Next::No
            };
        }
        if state.part == ERLANG {
            return erlang::goes_on(text);
        }
        if text.starts_with("    ") && (frame(text).is_some() || head(text).is_some()) {
            if state.part != CONTEXT {
                state.part = FRAMES;
            }
            return Next::Part;
        }
        match state.part {
            MESSAGE => Next::Maybe,
            _ if is_context(text) => {
                state.part = CONTEXT;
                Next::Part
            }
            _ if text.trim().is_empty() => Next::Maybe,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        if erlang::begins(text.rows().next()?) {
            return erlang::parse(text);
        }
        // Each with how far it is indented: its frames are four blanks deeper.
        let mut sections: Vec<(usize, Section)> = Vec::new();
        let mut message = true;
        for line in text.rows() {
            let indent = line.len() - line.trim_start().len();
            if let Some((name, rest)) = head(line) {
                let section = Section {
                    name: name.to_owned(),
                    message: place::some(rest),
                    ..Section::default()
                };
                sections.push((indent, section));
                message = true;
            } else if is_context(line) {
                // The rest is about who asked, not about what failed.
                break;
            } else if let Some(frame) = frame(line).filter(|_| indent >= 4) {
                message = false;
                let owner = sections
                    .iter()
                    .rposition(|(own, _)| own + 4 <= indent)
                    .unwrap_or(0);
                if let Some((_, section)) = sections.get_mut(owner) {
                    section.frames.push(frame);
                }
            } else if message && let Some((_, open)) = sections.last_mut() {
                open.add_line(line);
            }
        }
        let mut sections: Vec<Section> = sections
            .into_iter()
            .map(|(_, section)| section.trimmed())
            .collect();
        // A process that died of another one's exception has nothing to add.
        if let [first, _, ..] = sections.as_slice()
            && first.name == "EXIT"
            && first.frames.is_empty()
        {
            sections.remove(0);
        }
        let mut sections = sections.into_iter();
        let first = sections.next()?;
        Some(Exception {
            message: first.message,
            frames: first.frames,
            causes: sections
                .map(|cause| Cause::of(cause, Relation::Cause))
                .collect(),
            ..Exception::new(Language::Elixir, first.name)
        })
    }
}

/// The type and the message of `** (Type) message`.
fn head(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim_start().strip_prefix(STARS)?.cut(")")?;
    // `** (EXIT from #PID<0.96.0>)`: the pid is no part of the type.
    let name = name.split(" from ").next().unwrap_or(name);
    let known = name.starts_with(|c: char| c.is_ascii_uppercase())
        || ["exit", "throw", "stop"].contains(&name);
    (known && !name.has(" ")).then_some((name, rest.trim_start()))
}

/// Lines of a report behind the frames.
fn is_context(line: &str) -> bool {
    [
        "Last message",
        "State: ",
        "Function: ",
        "    Args: ",
        "Client ",
        "Initial Call: ",
        "Ancestors: ",
        "Queued messages",
        "Postponed events",
        "Pid: ",
        "Start Call: ",
        "Label: ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// `(app 0.1.0) lib/till.ex:3: Till.take/2`, `:erlang.map_get(:b, %{})`.
fn frame(line: &str) -> Option<Frame> {
    let text = line.trim();
    let (app, rest) = match text.strip_prefix('(').and_then(|rest| rest.cut(") ")) {
        Some((app, rest)) if !app.is_empty() => (Some(app), rest),
        _ => (None, text),
    };
    let (place, call) = match rest.cut(": ") {
        Some((place, call)) if is_place(place) => (Some(place), call),
        // Of a file alone nothing follows the line.
        None if rest.ends_with(':') && is_place(rest.trim_end_matches(':')) => {
            (Some(rest.trim_end_matches(':')), "")
        }
        _ => (None, rest),
    };
    if place.is_none() && !is_call(call) {
        return None;
    }
    let place = place::split(place.unwrap_or_default());
    let function = function(call);
    Some(Frame {
        in_app: !is_library(app, function, place.file),
        function: place::some(function),
        module: None,
        file: place::some(place.file),
        line: place.line,
        column: None,
    })
}

/// `lib/till.ex:3`
fn is_place(text: &str) -> bool {
    let place = place::split(text);
    place.line.is_some()
        && !place.file.has(" ")
        && [
            ".ex", ".exs", ".erl", ".eex", ".heex", ".leex", ".xrl", ".yrl",
        ]
        .iter()
        .any(|ending| place.file.ends_with(ending))
        || text == "nofile"
        || place.file == "iex" && place.line.is_some()
}

/// `:module.function(…)`, `Module.function/1`: a frame without a place.
fn is_call(text: &str) -> bool {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || "_.:?!/\"-+*<>=".contains(c)))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let starts = name.starts_with(':') || name.starts_with(|c: char| c.is_ascii_uppercase());
    let arity = name
        .rcut("/")
        .is_some_and(|(_, arity)| leading_number(arity).is_some());
    starts
        && name.has(".")
        && (rest.starts_with('(') && text.ends_with(')') || rest.is_empty() && arity)
}

fn function(call: &str) -> &str {
    // `anonymous fn/0 in Till.run/1` and `(file)` have no arguments.
    if call.starts_with('(') || call.has("fn/") {
        return call;
    }
    match call.place("(") {
        Some(open) if call.ends_with(')') => &call[..open],
        _ => call,
    }
}

fn is_library(app: Option<&str>, function: &str, file: &str) -> bool {
    let app = app
        .and_then(|app| app.split(' ').next())
        .unwrap_or_default();
    [
        "elixir",
        "stdlib",
        "kernel",
        "erts",
        "mix",
        "ex_unit",
        "logger",
        "iex",
        "eex",
        "compiler",
        "ssl",
        "crypto",
        "public_key",
        "inets",
    ]
    .contains(&app)
        || file.is_empty() && function.starts_with(":erlang.")
        || place::is_package(file)
        || place::has_dir(file, "deps")
}
