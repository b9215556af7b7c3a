//! Times as programs print them.

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

impl Civil {
    /// A time at the beginning of a text, and what follows it.
    #[must_use]
    pub fn scan(text: &str) -> Option<(Self, &str)> {
        let mut read = Reader { text, at: 0 };
        let civil = read.any()?;
        Some((civil, text.get(read.at..)?))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// A number of so many digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<i16> {
        let mut value = 0_i16;
        let mut count = 0;
        while count < most
            && let Some(byte @ b'0'..=b'9') = self.byte()
        {
            value = value.checked_mul(10)?.checked_add(i16::from(byte - b'0'))?;
            self.at += 1;
            count += 1;
        }
        (count >= least).then_some(value)
    }

    fn two(&mut self) -> Option<i8> {
        i8::try_from(self.digits(2, 2)?).ok()
    }

    fn any(&mut self) -> Option<Civil> {
        match self.byte()? {
            b'0'..=b'9' => self.number_first(),
            b'A'..=b'Z' => self.name_first(),
            _ => None,
        }
    }

    /// `2023-05-20 14:30:22`, `20-May-2023 14:30:22`, `14:30:22`.
    fn number_first(&mut self) -> Option<Civil> {
        let bytes = self.text.as_bytes();
        match (
            bytes.get(1)?,
            bytes.get(2)?,
            bytes.get(4).copied().unwrap_or(0),
        ) {
            (b'0'..=b'9', b':', _) => {
                let mut civil = Civil::default();
                self.clock(&mut civil)?;
                Some(civil)
            }
            (_, b'0'..=b'9', b'-' | b'/') => {
                let year = self.digits(4, 4)?;
                let separator = self.byte()?;
                self.at += 1;
                let month = self.two()?;
                if !self.eat(separator) {
                    return None;
                }
                let day = self.two()?;
                if !self.eat(b'T') && !self.eat(b' ') {
                    return None;
                }
                let mut civil = Civil {
                    year: Some(year),
                    day: Some((month, day)),
                    ..Civil::default()
                };
                self.clock(&mut civil)?;
                Some(civil)
            }
            (b'0'..=b'9', b'-' | b'/' | b' ', _) | (b'-' | b'/' | b' ', _, _) => {
                let day = i8::try_from(self.digits(1, 2)?).ok()?;
                self.at += 1;
                let month = self.month()?;
                let separator = self.byte()?;
                if !matches!(separator, b'-' | b'/' | b' ') {
                    return None;
                }
                self.at += 1;
                let year = self.digits(4, 4)?;
                if !self.eat(b':') && !self.eat(b' ') {
                    return None;
                }
                let mut civil = Civil {
                    year: Some(year),
                    day: Some((month, day)),
                    ..Civil::default()
                };
                self.clock(&mut civil)?;
                Some(civil)
            }
            _ => None,
        }
    }

    /// `May 20 14:30:22`, `Sat May 20 14:30:22 2023`, `Sat, 20 May 2023 …`.
    fn name_first(&mut self) -> Option<Civil> {
        if self.weekday() {
            let comma = self.eat(b',');
            if !self.eat(b' ') {
                return None;
            }
            if comma {
                let rest = self.text.get(self.at..)?;
                let mut inner = Reader { text: rest, at: 0 };
                let civil = inner.number_first()?;
                self.at += inner.at;
                return Some(civil);
            }
        }
        let month = self.month()?;
        if !self.eat(b' ') {
            return None;
        }
        let _ = self.eat(b' ');
        let day = i8::try_from(self.digits(1, 2)?).ok()?;
        let mut civil = Civil {
            day: Some((month, day)),
            ..Civil::default()
        };
        let comma = self.eat(b',');
        if !self.eat(b' ') {
            return None;
        }
        let mark = self.at;
        match self.digits(4, 4) {
            Some(year) if self.eat(b' ') => civil.year = Some(year),
            _ if comma => return None,
            _ => self.at = mark,
        }
        self.clock(&mut civil)?;
        if civil.year.is_none() {
            let mark = self.at;
            let year = self.eat(b' ').then(|| self.digits(4, 4)).flatten();
            let ends = !matches!(self.byte(), Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'-'));
            match year {
                Some(1970..) if ends => civil.year = year,
                _ => self.at = mark,
            }
        }
        Some(civil)
    }

    fn weekday(&mut self) -> bool {
        let name = self.text.get(self.at..self.at + 3);
        let found = name
            .is_some_and(|name| ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&name));
        self.at += if found { 3 } else { 0 };
        found
    }

    fn month(&mut self) -> Option<i8> {
        const NAMES: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let name = self.text.get(self.at..self.at + 3)?;
        let index = NAMES.iter().position(|month| *month == name)?;
        self.at += 3;
        i8::try_from(index + 1).ok()
    }

    /// `14:30:22`, a fraction, a zone.
    fn clock(&mut self, civil: &mut Civil) -> Option<()> {
        let mut hour = i8::try_from(self.digits(1, 2)?).ok()?;
        if !self.eat(b':') {
            return None;
        }
        let minute = self.two()?;
        if !self.eat(b':') {
            return None;
        }
        let second = self.two()?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        if matches!(self.byte(), Some(b'.' | b',')) {
            let from = self.at + 1;
            let digits = self.text.as_bytes().get(from..)?;
            let count = digits
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if count > 0 {
                civil.nanos = i32::try_from(fraction_nanos(digits.get(..count)?)).ok()?;
                self.at = from + count;
            }
        }
        match self.text.get(self.at..self.at + 3) {
            Some(" PM") if hour < 12 => {
                hour += 12;
                self.at += 3;
            }
            Some(" AM") => {
                hour %= 12;
                self.at += 3;
            }
            Some(" PM") => self.at += 3,
            _ => {}
        }
        civil.time = (hour, minute, second);
        civil.offset = self.zone();
        Some(())
    }

    fn zone(&mut self) -> Option<i32> {
        if self.eat(b'Z') {
            return Some(0);
        }
        let mark = self.at;
        let blank = self.eat(b' ');
        let found = match self.byte() {
            Some(b'+' | b'-') => self.offset(blank),
            Some(b'A'..=b'Z') => self.zone_name(),
            _ => None,
        };
        if found.is_none() {
            self.at = mark;
        }
        found
    }

    fn offset(&mut self, blank: bool) -> Option<i32> {
        let sign = if self.byte()? == b'-' { -1 } else { 1 };
        self.at += 1;
        let hours = i32::from(self.two()?);
        let colon = self.eat(b':');
        let minutes = match self.two() {
            Some(minutes) => i32::from(minutes),
            None if colon || blank => return None,
            None => 0,
        };
        let ends = !matches!(self.byte(), Some(byte) if byte.is_ascii_alphanumeric());
        (ends && hours < 24).then_some(sign * (hours * 3_600 + minutes * 60))
    }

    /// Names that mean one thing in logs.
    fn zone_name(&mut self) -> Option<i32> {
        const NAMES: [(&str, i32); 16] = [
            ("UTC", 0),
            ("GMT", 0),
            ("Z", 0),
            ("WET", 0),
            ("CET", 60),
            ("BST", 60),
            ("CEST", 120),
            ("EET", 120),
            ("EEST", 180),
            ("MSK", 180),
            ("JST", 540),
            ("EST", -300),
            ("EDT", -240),
            ("PST", -480),
            ("PDT", -420),
            ("CDT", -300),
        ];
        let rest = self.text.get(self.at..)?;
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = rest.get(..length)?;
        let (_, minutes) = NAMES.iter().find(|(known, _)| *known == name)?;
        self.at += length;
        Some(minutes * 60)
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
