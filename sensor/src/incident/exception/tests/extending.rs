//! The example of docs/EXTENDING.md, as it stands there.

use std::sync::Arc;

// example: begin
use crate::incident::exception::{
    Assembler, Begin, Exception, ExceptionParser, First, Frame, Language, Next, Parsers, Piece,
    Sign, State,
};

/// `till panic <Type>: <message>`, frames `  > function file:line`, `till end`.
struct Till;

impl ExceptionParser for Till {
    fn language(&self) -> Language {
        Language::Cpp
    }

    fn signs(&self) -> &'static [Sign] {
        &[Sign::Text("till panic ")]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        line.starts_with(b"till panic ")
            .then(|| Begin::Likely(State::default()))
    }

    fn goes_on(&self, _: &mut State, line: &[u8]) -> Next {
        match line {
            b"till end" => Next::Last,
            [b' ', b' ', b'>', b' ', ..] => Next::Part,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.lines();
        let (name, message) = lines
            .next()?
            .strip_prefix("till panic ")?
            .split_once(": ")?;
        let frame = |line: &str| {
            let (function, place) = line.strip_prefix("  > ")?.split_once(' ')?;
            let (file, number) = place.rsplit_once(':')?;
            Some(Frame {
                function: Some(function.into()),
                file: Some(file.into()),
                line: number.parse().ok(),
                in_app: !file.starts_with("/usr/"),
                ..Frame::default()
            })
        };
        Some(Exception {
            message: Some(message.to_owned()),
            frames: lines.filter_map(frame).collect(),
            ..Exception::new(self.language(), name)
        })
    }
}
// example: end

#[test]
fn the_example_finds_its_traces() {
    let parsers = Parsers::new(vec![Box::new(Till)]).expect("one sign");
    let mut assembler = Assembler::new(Arc::new(parsers));
    let mut found = Vec::new();
    let mut out = |piece: Piece<'_, u32>| match piece {
        Piece::Plain(line, _) => found.push(String::from_utf8_lossy(line).into_owned()),
        Piece::Trace(trace, ..) => {
            found.push(format!("{}: {:?}", trace.name, trace.frames[0].line))
        }
    };
    let text =
        "open\ntill panic Stuck: drawer\n  > pull src/till.c:12\ntill end\ntill panic is prose";
    for line in text.lines() {
        assembler.line(line.as_bytes(), 0, &mut out);
    }
    assembler.close(&mut out);
    assert_eq!(found, ["open", "Stuck: Some(12)", "till panic is prose"]);
}

#[test]
fn the_guide_has_the_example_as_it_is_here() {
    let here = include_str!("extending.rs");
    let example = here
        .split("// example: begin\n")
        .nth(1)
        .and_then(|rest| rest.split("// example: end").next())
        .expect("an example")
        .replace("crate::", "sensor::");
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/EXTENDING.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    assert!(guide.contains(example.trim_end()), "{example}");
}
