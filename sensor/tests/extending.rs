//! The examples of docs/EXTENDING.md are compiled, work, and are those of the
//! document.

#[path = "../../docs/examples/till.rs"]
mod till;

use std::sync::Arc;

use sensor::incident::log::{LogOptions, LogParser, format::Formats};

#[test]
fn the_format_of_the_document_works() {
    let options = LogOptions {
        formats: Arc::new(Formats::with([Arc::new(till::Till) as _])),
        now: 1_700_000_000_000_000_000,
        ..LogOptions::default()
    };
    let text = "2023-05-20 14:30:22 till7 X! drawer stuck\n2023-05-20 14:30:23 till7 N! open\n";
    let mut found = Vec::new();
    let mut parser = LogParser::new(&options);
    parser.feed(text.as_bytes(), &mut |incident| found.push(incident));
    parser.finish(&mut |incident| found.push(incident));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].body.as_deref(), Some("drawer stuck"));
    assert_eq!(found[0].origin.format.as_deref(), Some("till"));
    assert_eq!(found[0].origin.logger.as_deref(), Some("7"));
    assert_eq!(found[0].time, Some(1_684_593_022_000_000_000));
}

#[test]
fn the_document_has_the_example() {
    let document = include_str!("../../docs/EXTENDING.md");
    assert!(document.contains(include_str!("../../docs/examples/till.rs")));
}
