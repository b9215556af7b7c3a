//! A file that a plugin wants a number of, found by a name or by an
//! expression: whatever is in both, there is a number or a reason.
//!
//! `field NAME` or `regex EXPRESSION`, and behind that line the file.
use sensor::{
    collect::{custom::number_in, number::Number},
    plugin::Find,
};

/// Tries one input.
pub(super) fn run(input: &[u8]) {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let (Some(first), Some(bytes)) = (parts.next(), parts.next()) else {
        return;
    };
    let find = match std::str::from_utf8(first)
        .ok()
        .and_then(|line| line.split_once(' '))
    {
        Some(("field", name)) => Find::Field(name.to_owned()),
        Some(("regex", pattern)) => Find::Regex(pattern.to_owned()),
        _ => return,
    };
    let Some(Ok(number)) = number_in(&find, bytes) else {
        return;
    };
    for other in [
        Number::ZERO,
        Number::Int(i64::MIN),
        Number::Double(f64::MAX),
    ] {
        let results = [number.plus(other), number.minus(other)];
        assert!(results.iter().all(|result| result.as_f64().is_finite()));
    }
    for factor in [1024.0, 1e-9, f64::MAX] {
        let scaled = number.scaled(factor);
        assert!(scaled.is_none_or(|number| number.as_f64().is_finite()));
    }
}
