//! A record of the ring: whatever is in it, it is an event or refused, and
//! never more than it holds.
use sensor::decode::{Event, decode};

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    let Ok(event) = decode(bytes) else { return };
    assert!(bytes.starts_with(&event.header().kind.to_ne_bytes()));
    if let Event::Exec(_, tail) = event {
        let path = tail.path.map_or(0, |path| path.len());
        assert!(tail.args.len() + path <= bytes.len());
    }
}
