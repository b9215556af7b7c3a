//! A time as the framework may have written it, as text and as a number:
//! whatever it is, it is a time or none.
use sensor::store::legacy::{Value, nanos};

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    if let Some(&number) = bytes.first_chunk() {
        let _ = nanos(&Value::Integer(i64::from_le_bytes(number)));
        let _ = nanos(&Value::Real(f64::from_le_bytes(number)));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = nanos(&Value::Text(text.to_owned()));
    }
}
