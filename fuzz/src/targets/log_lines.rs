//! Text of log sources: whatever it is, the same incidents come out wherever
//! it is cut, and each is an object of JSON that is not too long.
use sensor::{
    incident::log::{LogOptions, LogParser},
    output::incident::json,
};

/// Tries one input.
pub(super) fn run(text: &[u8]) {
    let options = LogOptions::default();
    let mut whole = Vec::new();
    let mut parser = LogParser::new(&options);
    parser.feed(text, &mut |incident| whole.push(json(&incident)));
    parser.finish(&mut |incident| whole.push(json(&incident)));
    assert!(whole.iter().all(|line| line.len() <= 1 << 20));
    let mut cut = Vec::new();
    let mut parser = LogParser::new(&options);
    for part in text.chunks(7) {
        parser.feed(part, &mut |incident| cut.push(json(&incident)));
    }
    parser.finish(&mut |incident| cut.push(json(&incident)));
    assert_eq!(whole, cut);
}
