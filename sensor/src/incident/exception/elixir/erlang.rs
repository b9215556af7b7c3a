//! What Erlang's own shell, `escript` and crash reports say.

use crate::incident::exception::{
    Exception, Frame, Language, Next,
    finish::Section,
    place::{self, leading_number},
};
use crate::incident::find::Find;

const CLASSES: [&str; 3] = ["exception error: ", "exception exit: ", "exception throw: "];
const PROCESS: &str = "Error in process <";

pub(super) fn begins(line: &str) -> bool {
    class(line).is_some() || names_process(line)
}

/// `Error in process <0.79.0> with exit value:`
pub(super) fn names_process(line: &str) -> bool {
    line.starts_with(PROCESS) && line.has(" with exit value:")
}

/// `error` and the message of `** exception error: message`.
fn class(line: &str) -> Option<(&'static str, &str)> {
    let text = line.trim_start();
    let text = text
        .strip_prefix("escript: ")
        .or_else(|| text.strip_prefix("** "))
        .unwrap_or(text);
    let start = CLASSES.into_iter().find(|class| text.starts_with(class))?;
    let name = start.strip_prefix("exception ")?.strip_suffix(": ")?;
    Some((name, &text[start.len()..]))
}

pub(super) fn goes_on(line: &str) -> Next {
    let text = line.trim_start();
    if text.is_empty() {
        Next::Maybe
    } else if text.len() < line.len() {
        Next::Part
    } else {
        Next::No
    }
}

pub(super) fn parse(text: &str) -> Option<Exception> {
    let (first, rest) = text.cut("\n").unwrap_or((text, ""));
    let Some((name, message)) = class(first) else {
        return Some(process(rest));
    };
    let mut section = Section {
        name: name.to_owned(),
        message: place::some(message),
        ..Section::default()
    };
    for line in rest.lines() {
        match frame(line.trim()) {
            Some(frame) => section.frames.push(frame),
            None if section.frames.is_empty() => section.add_line(line.trim()),
            None => {}
        }
    }
    let section = section.trimmed();
    Some(Exception {
        message: section.message,
        frames: section.frames,
        ..Exception::new(Language::Elixir, section.name)
    })
}

/// `in function  till:take/2 (till.erl, line 3)`
fn frame(line: &str) -> Option<Frame> {
    let rest = line
        .strip_prefix("in function ")
        .or_else(|| line.strip_prefix("in call from "))?
        .trim();
    let (function, place) = rest.cut(" (").unwrap_or((rest, ""));
    let (file, line) = place
        .trim_end_matches(')')
        .cut(", line ")
        .unwrap_or(("", ""));
    let (module, function) = function.trim().cut(":").unwrap_or(("", function.trim()));
    Some(Frame {
        function: place::some(function),
        module: place::some(module),
        file: place::some(file),
        line: place::number(line).filter(|line| *line > 0),
        column: None,
        in_app: !is_library(module),
    })
}

/// `{reason,[{module,function,arity,[{file,"f.erl"},{line,3}]},…]}`
fn process(term: &str) -> Exception {
    let term: String = term.lines().map(str::trim).collect();
    let inner = term.strip_prefix('{').unwrap_or(&term);
    let reason = inner.trim_start_matches('{');
    let end = reason
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(reason.len());
    let mut frames = Vec::new();
    let mut rest = inner.cut(",[{").map_or("", |(_, stack)| stack);
    while let Some(at) = rest.place("[{file,\"") {
        let (head, behind) = rest.split_at(at);
        let behind = behind.trim_start_matches("[{file,\"");
        let (file, behind) = behind.cut("\"").unwrap_or((behind, ""));
        let line = behind.strip_prefix("},{line,").and_then(leading_number);
        let mut names = head.trim_start_matches([',', '{', '}', ']']).splitn(3, ',');
        let module = names.next().unwrap_or_default();
        frames.push(Frame {
            function: names.next().and_then(place::some),
            module: place::some(module),
            file: place::some(file),
            line: line.map(|(line, _)| line),
            column: None,
            in_app: !is_library(module),
        });
        rest = line.map_or(behind, |(_, rest)| rest);
    }
    Exception {
        message: place::some(term.as_str()),
        frames,
        ..Exception::new(Language::Elixir, &reason[..end])
    }
}

/// Modules of Erlang's own applications.
fn is_library(module: &str) -> bool {
    [
        "erlang",
        "lists",
        "maps",
        "gen_server",
        "gen",
        "gen_statem",
        "proc_lib",
        "supervisor",
        "init",
        "erl_eval",
        "escript",
        "shell",
        "io",
        "file",
        "ets",
        "binary",
        "string",
        "dict",
        "timer",
        "rpc",
        "application",
        "code",
        "code_server",
        "error_handler",
    ]
    .contains(&module)
}
