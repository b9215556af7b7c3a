//! Times as programs print them.

mod scan;

use jiff::{Timestamp, civil, tz::TimeZone};

/// A time that was read, and not yet put on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// ns since 1970.
    Nanos(u64),
    /// As a calendar and a clock say it.
    Civil(Civil),
}

/// A date, where there is one, and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Civil {
    /// Year; `None` where it was left out, as syslog does.
    pub year: Option<i16>,
    /// Month and day; `None` where only the time of day was printed.
    pub day: Option<(i8, i8)>,
    /// Hour, minute, second.
    pub time: (i8, i8, i8),
    /// Nanoseconds.
    pub nanos: i32,
    /// Seconds east of Greenwich, where a zone was printed.
    pub offset: Option<i32>,
}

/// Puts times on the time line.
#[derive(Debug, Clone)]
pub struct Clock {
    /// ns since 1970.
    pub now: u64,
    /// Zone of times that name none.
    pub zone: TimeZone,
}

impl Clock {
    /// ns since 1970; `None` without a date, or where it is none.
    #[must_use]
    pub fn nanos(&self, when: When) -> Option<u64> {
        let civil = match when {
            When::Nanos(nanos) => return Some(nanos),
            When::Civil(civil) => civil,
        };
        let day = civil.day?;
        if let Some(year) = civil.year {
            return self.at(year, day, &civil);
        }
        // The zone may be a year ahead; a leap day comes after 8 years at most.
        let now = Timestamp::from_nanosecond(i128::from(self.now)).ok()?;
        let year = now.to_zoned(TimeZone::UTC).year();
        (0..10)
            .filter_map(|back| self.at(year + 1 - back, day, &civil))
            .find(|nanos| *nanos <= self.now)
    }

    fn at(&self, year: i16, (month, day): (i8, i8), civil: &Civil) -> Option<u64> {
        let (hour, minute, second) = civil.time;
        // A leap second is the one before.
        let second = second.min(59);
        let date = civil::Date::new(year, month, day).ok()?;
        let time = civil::Time::new(hour, minute, second, civil.nanos).ok()?;
        let zone = match civil.offset {
            Some(seconds) => TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?),
            None => self.zone.clone(),
        };
        let stamp = date.to_datetime(time).to_zoned(zone).ok()?.timestamp();
        u64::try_from(stamp.as_nanosecond()).ok()
    }
}

impl When {
    /// A whole text that is a time: in letters, or a number since 1970.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((civil, rest)) = Civil::scan(text) {
            return rest.is_empty().then_some(Self::Civil(civil));
        }
        Self::number(text)
    }

    /// Seconds, milliseconds, microseconds or nanoseconds since 1970, by their
    /// size.
    #[must_use]
    pub fn number(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if fraction.bytes().any(|byte| !byte.is_ascii_digit()) {
            // An exponent: precision is lost already.
            let seconds: f64 = text.parse().ok()?;
            let whole = std::time::Duration::try_from_secs_f64(seconds).ok()?;
            return u64::try_from(whole.as_nanos()).ok().map(Self::Nanos);
        }
        let number: u64 = whole.parse().ok()?;
        let unit: u64 = match number {
            0..100_000_000_000 => 1_000_000_000,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        };
        // What is before 1980 is a duration or a counter.
        let nanos = number.checked_mul(unit)?;
        if nanos < 315_532_800_000_000_000 {
            return None;
        }
        let part = fraction_nanos(fraction.as_bytes());
        let part = part / (1_000_000_000 / i64::try_from(unit).ok()?);
        Some(Self::Nanos(nanos + u64::try_from(part).ok()?))
    }
}

/// Digits after the point, as nanoseconds.
fn fraction_nanos(digits: &[u8]) -> i64 {
    let mut nanos = 0;
    for index in 0..9 {
        let digit = digits.get(index).filter(|byte| byte.is_ascii_digit());
        nanos = nanos * 10 + digit.map_or(0, |byte| i64::from(byte - b'0'));
    }
    nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock {
            // 2024-02-10T00:00:00Z
            now: 1_707_523_200_000_000_000,
            zone: TimeZone::fixed(jiff::tz::offset(2)),
        }
    }

    #[test]
    fn layouts() {
        for (text, expect, rest) in [
            ("2023-05-20 14:30:22 x", Some("2023-05-20T12:30:22Z"), " x"),
            (
                "2023-05-20 14:30:22,123 x",
                Some("2023-05-20T12:30:22.123Z"),
                " x",
            ),
            ("2023-05-20T14:30:22.5Z", Some("2023-05-20T14:30:22.5Z"), ""),
            (
                "2023-05-20T14:30:22+02:00",
                Some("2023-05-20T12:30:22Z"),
                "",
            ),
            (
                "2023-05-20 14:30:22 +0000] x",
                Some("2023-05-20T14:30:22Z"),
                "] x",
            ),
            (
                "2023-05-20 14:30:22 UTC [1]",
                Some("2023-05-20T14:30:22Z"),
                " [1]",
            ),
            (
                "2023-05-20 14:30:22 INFO",
                Some("2023-05-20T12:30:22Z"),
                " INFO",
            ),
            (
                "2023-05-20 14:30:22 - a",
                Some("2023-05-20T12:30:22Z"),
                " - a",
            ),
            ("2023/05/20 14:30:22 [", Some("2023-05-20T12:30:22Z"), " ["),
            (
                "20-May-2023 14:30:22 UTC]",
                Some("2023-05-20T14:30:22Z"),
                "]",
            ),
            (
                "20/May/2023:14:30:22 +0000",
                Some("2023-05-20T14:30:22Z"),
                "",
            ),
            (
                "Sat May 20 14:30:22.5 2023]",
                Some("2023-05-20T12:30:22.5Z"),
                "]",
            ),
            (
                "Sat, 20 May 2023 14:30:22 GMT",
                Some("2023-05-20T14:30:22Z"),
                "",
            ),
            (
                "May 20, 2023 2:30:22 PM x",
                Some("2023-05-20T12:30:22Z"),
                " x",
            ),
            (
                "May  2 14:30:22 host",
                Some("2023-05-02T12:30:22Z"),
                " host",
            ),
            (
                "May 20 14:30:22 2023a",
                Some("2023-05-20T12:30:22Z"),
                " 2023a",
            ),
            // No more than two days ago, a year ago, 2020 (a leap day).
            ("Feb  8 14:30:22 a", Some("2024-02-08T12:30:22Z"), " a"),
            ("Feb 11 14:30:22 a", Some("2023-02-11T12:30:22Z"), " a"),
            ("Feb 29 14:30:22 a", Some("2020-02-29T12:30:22Z"), " a"),
            ("2023-02-30 14:30:22 a", None, " a"),
            ("14:30:22.123 a", None, " a"),
        ] {
            let (civil, left) = Civil::scan(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(left, rest, "{text}");
            let expect = expect.map(|time| {
                u64::try_from(time.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap()
            });
            assert_eq!(clock().nanos(When::Civil(civil)), expect, "{text}");
        }
        for text in [
            "",
            "x",
            "2023",
            "2023-05-20",
            "Mayor 1",
            "1:2:3",
            "Mon",
            "99:00:00",
            "Ä",
        ] {
            assert_eq!(Civil::scan(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_by_their_size() {
        let expect = Some(When::Nanos(1_684_593_022_123_000_000));
        assert_eq!(When::read("1684593022.123"), expect);
        assert_eq!(When::read("1684593022123"), expect);
        assert_eq!(When::read("1684593022123000"), expect);
        assert_eq!(When::read("1684593022123000000"), expect);
        assert_eq!(When::read("12.5"), None);
        assert_eq!(When::read("-5"), None);
    }
}
