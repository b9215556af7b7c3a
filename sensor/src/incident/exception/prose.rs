//! Lines that nothing marks: is one more of a message, or does somebody else
//! speak?

/// Whether a line behind the message could be one more of its lines. Nothing
/// marks these, so what looks like the beginning of a log line is none.
pub(super) fn may_be_message(line: &[u8]) -> bool {
    let word = line
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(line.len());
    let (word, rest) = line.split_at(word);
    match line.first() {
        // A date, a time, a priority, a record.
        Some(byte) if byte.is_ascii_digit() => !rest.starts_with(b"-") && !rest.starts_with(b":"),
        Some(b'{' | b'<') => false,
        Some(b'[') => line.starts_with(b"[SQL") || line.starts_with(b"[parameters"),
        // A prompt or the header of a report.
        Some(b'=' | b'$') => false,
        Some(b'>') if line.starts_with(b">>> ") => false,
        // Ruby's Logger: `E, [2026-11-22T05:31:50.465751 #12] ERROR -- : `.
        _ if word.len() == 1 && rest.starts_with(b", [") => false,
        _ => !is_level(word) && !rest.starts_with(b"="),
    }
}

/// The words that log lines begin with.
fn is_level(word: &[u8]) -> bool {
    [
        b"TRACE".as_slice(),
        b"DEBUG",
        b"INFO",
        b"NOTICE",
        b"WARN",
        b"WARNING",
        b"ERROR",
        b"CRITICAL",
        b"FATAL",
    ]
    .contains(&word.to_ascii_uppercase().as_slice())
}
