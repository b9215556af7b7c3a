//! What the documents promise is what the tests try.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{fs, path::Path};

fn sources(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_row_of_reliability_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    sources(&root.join("tests"), &mut tests);
    // What cannot be had for real is tried beside the code.
    sources(&root.join("../sensor/src"), &mut tests);
    let document = fs::read_to_string(root.join("../docs/RELIABILITY.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| "));
    let mut seen = 0;
    for row in rows.skip(1) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test in {row}");
        for name in names {
            let is_there = tests.contains(&format!("fn {name}()"));
            assert!(is_there, "no test is called {name}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} tests are named");
}
