//! docs/BENCHMARKS.md and its like: each benchmark writes its own sections.

use std::{fs, io};

use anyhow::{Context, Result};

use super::machine;
use crate::shell::root;

/// A section that shows a report as it is in a terminal, the machine that it
/// is of, and how to repeat it.
pub fn section(heading: &str, report: &str, command: &str) -> String {
    let facts = machine::facts();
    let facts: Vec<String> = facts
        .iter()
        .filter(|(name, _)| ["CPU", "cores", "kernel", "load at start", "sensor"].contains(name))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    format!(
        "## {heading}\n\n```text\n{}\n```\n\nMeasured on: {}. To repeat, as root:\n\
         `cargo xtask {command}`\n",
        report.trim_end(),
        facts.join(", ")
    )
}

/// Puts sections in the place of those with the same headings; those that are
/// new come behind the others.
pub fn write(sections: &str) -> Result<()> {
    write_to("BENCHMARKS.md", sections)
}

/// The same with another document.
pub fn write_to(file: &str, sections: &str) -> Result<()> {
    let path = root().join("docs").join(file);
    let before = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    };
    let before = before.with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(&path, merged(&before, sections))
        .with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn merged(before: &str, new: &str) -> String {
    let mut sections = split(before);
    for (heading, text) in split(new) {
        match sections.iter_mut().find(|(old, _)| *old == heading) {
            Some((_, old)) => *old = text,
            None if heading.is_empty() => sections.insert(0, (heading, text)),
            None => sections.push((heading, text)),
        }
    }
    let texts: Vec<&str> = sections.iter().map(|(_, text)| text.trim()).collect();
    texts.join("\n\n") + "\n"
}

/// Heading and text of each section, the heading in the text; what comes
/// before the first has none.
fn split(text: &str) -> Vec<(&str, &str)> {
    let mut starts: Vec<usize> = text.match_indices("\n## ").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let texts = starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &text[start..end]);
    texts
        .filter(|text| !text.trim().is_empty())
        .map(|text| match text.strip_prefix("## ") {
            Some(rest) => (rest.lines().next().unwrap_or_default(), text),
            None => ("", text),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_own_and_of_no_other() {
        let before = "# All\n\nof it\n\n## One\n\n1\n\n## Two\n\n2\n";
        assert_eq!(
            merged(before, "## One\n\nanother\n### deeper\n"),
            "# All\n\nof it\n\n## One\n\nanother\n### deeper\n\n## Two\n\n2\n"
        );
        assert_eq!(
            merged(before, "# New\n\n## Two\n\n3\n\n## Three\n4"),
            "# New\n\n## One\n\n1\n\n## Two\n\n3\n\n## Three\n4\n"
        );
        assert_eq!(merged("", "## One\n1\n"), "## One\n1\n");
        assert_eq!(merged("## One\n1\n", "# All\n"), "# All\n\n## One\n1\n");
    }
}
