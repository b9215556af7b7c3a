//! Times as the framework may have written them.

use super::record::Value;

const SECOND: u64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// ns since 1970, UTC; 0 where it is no time. Text is ISO 8601, in UTC where
/// it names no zone. A number counts seconds, or milli-, micro- or nanoseconds
/// where it is too large for that.
#[must_use]
pub fn nanos(value: &Value) -> u64 {
    match value {
        Value::Integer(number) => u64::try_from(*number).map_or(0, of_number),
        Value::Real(seconds) => of_real(*seconds),
        Value::Text(text) => match text.trim().parse::<f64>() {
            Ok(seconds) => of_real(seconds),
            Err(_) => of_text(text.trim()).unwrap_or(0),
        },
        Value::Null | Value::Blob => 0,
    }
}

/// Each unit covers the years 1970 to 5138, and none meets another there.
fn of_number(number: u64) -> u64 {
    let nanos_of_one = match number {
        0..=99_999_999_999 => SECOND,
        100_000_000_000..=99_999_999_999_999 => SECOND / 1_000,
        100_000_000_000_000..=99_999_999_999_999_999 => SECOND / 1_000_000,
        _ => 1,
    };
    number.saturating_mul(nanos_of_one)
}

fn of_real(number: f64) -> u64 {
    let Ok(whole) = std::time::Duration::try_from_secs_f64(number) else {
        return 0;
    };
    match of_number(whole.as_secs()) {
        nanos if whole.as_secs() < 100_000_000_000 => {
            nanos.saturating_add(u64::from(whole.subsec_nanos()))
        }
        nanos => nanos,
    }
}

/// `2024-05-06T07:08:09.123456+02:00` and what may be left out of it.
fn of_text(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-')?;
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    let zone = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.trim().split_once('.').unwrap_or((clock.trim(), ""));
    let [hour, minute, second] = match clock.len() {
        0 => [0; 3],
        5 => numbers(&format!("{clock}:00"), ':')?,
        _ => numbers(clock, ':')?,
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    let seconds = days(year, month, day) * DAY + (hour * 60 + minute) * 60 + second - offset(zone)?;
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos = digits.parse::<u64>().ok()?;
    u64::try_from(seconds)
        .ok()?
        .checked_mul(SECOND)?
        .checked_add(nanos)
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(|part| part.parse::<u16>().ok());
    let mut next = || parts.next().flatten().map(i64::from);
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let Some(east) = zone.strip_prefix(['+', '-']) else {
        return matches!(zone, "" | "Z" | "z").then_some(0);
    };
    let digits = east.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    let hours = i64::from(hours.parse::<u8>().ok()?);
    let seconds = (hours * 60 + i64::from(minutes.parse::<u8>().ok()?)) * 60;
    Some(if zone.starts_with('-') {
        -seconds
    } else {
        seconds
    })
}

/// Days since 1970-01-01 in the Gregorian calendar; years are counted from 1
/// March, so that a leap day is the last day of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::WallNanos;

    #[test]
    fn every_way_to_write_a_time_is_understood() {
        let text = |text: &str| Value::Text(text.to_owned());
        let whole = "2024-02-29T07:08:09.000000000Z";
        for (value, expected) in [
            (
                text("2024-02-29T07:08:09.123456"),
                "2024-02-29T07:08:09.123456000Z",
            ),
            (text("2024-02-29 07:08:09"), whole),
            (text(" 2024-02-29T09:38:09+02:30 "), whole),
            (text("2024-02-29T02:08:09-0500"), whole),
            (text("2024-02-29T07:08:09Z"), whole),
            (text("2024-02-29T07:08"), "2024-02-29T07:08:00.000000000Z"),
            (text("2024-03-01"), "2024-03-01T00:00:00.000000000Z"),
            (text("1709190489"), whole),
            (Value::Integer(1_709_190_489), whole),
            (Value::Integer(1_709_190_489_000), whole),
            (Value::Integer(1_709_190_489_000_000), whole),
            (Value::Integer(1_709_190_489_000_000_000), whole),
            (
                Value::Real(1_709_190_489.5),
                "2024-02-29T07:08:09.500000000Z",
            ),
        ] {
            assert_eq!(WallNanos(nanos(&value)).to_string(), expected, "{value:?}");
        }
        for value in [
            text(""),
            text("yesterday"),
            text("2024-13-01"),
            text("2024-01-01T25:00:00"),
            text("1969-12-31"),
            text("2024-02-29T07:08:09+"),
            text("€€€€-€€-€€"),
            text("nan"),
            Value::Integer(-1),
            Value::Real(f64::NAN),
            Value::Real(-1.0),
            Value::Null,
            Value::Blob,
        ] {
            assert_eq!(nanos(&value), 0, "{value:?}");
        }
    }
}
