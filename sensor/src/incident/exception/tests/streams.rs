//! Traces among other lines.

use super::{Out, assemble_text, fixtures};

#[test]
fn every_line_comes_out_once_and_in_order() {
    for fixture in fixtures::all() {
        let mut lines = Vec::new();
        for out in assemble_text(&fixture.text) {
            let (text, mark) = match out {
                Out::Plain(line, mark) => (line, mark),
                Out::Trace(exception, mark) => (exception.text, mark),
            };
            assert_eq!(mark, lines.len());
            lines.extend(text.split('\n').map(str::to_owned));
        }
        let expected: Vec<&str> = fixture.text.lines().collect();
        assert_eq!(lines, expected, "{}", fixture.path.display());
    }
}
