//! Every fixture gives exactly what stands beside it.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{Out, assemble_text};
use crate::incident::exception::{Exception, Frame};

/// Set, the expectations are written anew; to be read before they are kept.
const WRITE: &str = "SENSOR_WRITE_FIXTURES";

/// A file of `fixtures/<language>/`.
pub(super) struct Fixture {
    pub path: PathBuf,
    pub text: String,
}

/// All printed traces, sorted by path.
pub(super) fn all() -> Vec<Fixture> {
    let dir = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/incident/exception/fixtures"
    );
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|path| fs::read_dir(path).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    let fixture = |path: PathBuf| Fixture {
        text: fs::read_to_string(&path).unwrap(),
        path,
    };
    paths.into_iter().map(fixture).collect()
}

#[test]
fn every_fixture_gives_what_stands_beside_it() {
    let mut wrong = Vec::new();
    let fixtures = all();
    assert!(!fixtures.is_empty());
    for fixture in fixtures {
        let expected = fixture.path.with_extension("json");
        let found = format!("{:#}\n", describe(&fixture.text));
        if std::env::var_os(WRITE).is_some() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}: {found}", fixture.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was made of a text; an exception with the number of its lines.
fn describe(text: &str) -> Value {
    let pieces = assemble_text(text).into_iter().map(|out| match out {
        Out::Plain(line, _) => Value::from(line),
        Out::Trace(exception, _) => exception_json(&exception),
    });
    pieces.collect()
}

pub(super) fn exception_json(exception: &Exception) -> Value {
    let causes = exception.causes.iter().map(|cause| {
        let mut value = json!({
            "type": cause.name,
            "relation": format!("{:?}", cause.relation).to_lowercase(),
            "frames": frames_json(&cause.frames),
        });
        if let Some(message) = &cause.message {
            value["message"] = json!(message);
        }
        value
    });
    let causes: Vec<Value> = causes.collect();
    let mut value = json!({
        "language": format!("{:?}", exception.language).to_lowercase(),
        "type": exception.name,
        "severity": exception.severity,
        "lines": exception.text.lines().count(),
        "frames": frames_json(&exception.frames),
    });
    if let Some(message) = &exception.message {
        value["message"] = json!(message);
    }
    if let Some(pid) = exception.pid {
        value["pid"] = json!(pid);
    }
    if !causes.is_empty() {
        value["causes"] = json!(causes);
    }
    value
}

/// A frame is one line: `module|function file:line:column`, and `lib` where it
/// is none of the application.
fn frames_json(frames: &[Frame]) -> Value {
    let frames = frames.iter().map(|frame| {
        let mut line = String::new();
        if !frame.in_app {
            line += "lib ";
        }
        if let Some(module) = &frame.module {
            line += module;
            line += "|";
        }
        line += frame.function.as_deref().unwrap_or("-");
        line += " ";
        line += frame.file.as_deref().unwrap_or("-");
        for number in [frame.line, frame.column].into_iter().flatten() {
            line += &format!(":{number}");
        }
        Value::from(line)
    });
    frames.collect()
}
