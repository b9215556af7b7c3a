//! Spans of time as people write them.

use std::time::Duration;

/// Text that is no duration; its message shows what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration; write a number with a unit, such as 500ms, 10s, 1.5s, 2m or 24h, or a bare number of seconds"
)]
pub struct DurationError(String);

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Reads `500ms`, `10s`, `1.5s`, `2m`, `24h`, `7d` or a bare number of seconds.
///
/// # Errors
/// Anything else: a sign, an exponent, another unit, two units, or more than
/// `u64::MAX` seconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    parse(text.trim()).ok_or_else(|| {
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        DurationError(shown)
    })
}

fn parse(text: &str) -> Option<Duration> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_nanos = match unit.trim_start() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => NANOS_PER_SECOND,
        "m" | "min" => 60 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        "d" => 86_400 * NANOS_PER_SECOND,
        _ => return None,
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    // Nine digits are a nanosecond of a second; more say nothing.
    if fraction.len() > 9 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let nanos = whole
        .checked_mul(unit_nanos)?
        .checked_add(fraction.checked_mul(unit_nanos)? / scale)?;
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).ok()?;
    Some(Duration::new(seconds, rest))
}

/// The shortest text that [`parse_duration`] reads back as the same duration.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit_nanos, unit) in [
        (3_600 * NANOS_PER_SECOND, "h"),
        (60 * NANOS_PER_SECOND, "m"),
        (NANOS_PER_SECOND, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ] {
        if nanos >= unit_nanos && nanos.is_multiple_of(unit_nanos) {
            return format!("{}{unit}", nanos / unit_nanos);
        }
    }
    match nanos {
        0 => "0s".to_owned(),
        _ => format!("{nanos}ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("60", 60_000),
            ("0.25", 250),
            ("1.5s", 1_500),
            (" 10 s ", 10_000),
            ("0", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_remedy() {
        for text in [
            "",
            "s",
            "-1s",
            "+1s",
            "1e3",
            "1.s",
            ".5s",
            "1..5s",
            "1h30m",
            "10 parsecs",
            "nan",
            "inf",
            "99999999999999999999999999999999999999999s",
            "18446744073709551616",
            "١s",
        ] {
            let error = parse_duration(text).unwrap_err().to_string();
            assert!(error.contains("500ms"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn what_is_written_is_read_back(nanos in any::<u64>()) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
