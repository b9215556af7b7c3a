//! What other programs print is no incident.

use super::*;

/// Lines as other programs print them, none of them an incident: builds, version
/// control, access logs, packages, the kernel, logs below ERROR, prose. `#`
/// stands for a number. The benchmark reads a million of them.
pub(super) const LINES: &str = include_str!("ordinary.txt");

#[test]
fn no_line_of_other_programs_is_an_incident() {
    for line in LINES.lines() {
        for number in ["1", "42"] {
            check(&line.replace('#', number), &[]);
        }
    }
}

#[test]
fn nor_are_many_of_them_in_any_order() {
    // A fixed walk. Frames stay out: behind a line such as `KeyError: 7` they
    // make a trace.
    let lines: Vec<_> = LINES.lines().filter(|line| !is_frame(line)).collect();
    let mut text = String::new();
    let mut at = 1;
    for round in 0..20_000_usize {
        at = (at * 31 + round * 7 + 3) % lines.len();
        text.push_str(&lines[at].replace('#', &round.to_string()));
        text.push('\n');
    }
    check_none(&text);
}

/// Whether a line is a part of traces only, or may be.
pub(super) fn is_frame(line: &str) -> bool {
    line.starts_with(['\t', ' '])
}

fn check_none(text: &str) {
    let found: Vec<String> = parse(text)
        .iter()
        .map(|one| format!("{} <- {:?}", shown(one), one.origin.original))
        .collect();
    assert!(
        found.is_empty(),
        "{} incidents, such as {:#?}",
        found.len(),
        &found[..found.len().min(5)]
    );
}
