//! Times at the beginning of a text, in the layouts that programs use.

use super::{Civil, fraction_nanos};

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
                if !self.eat(b'T') {
                    if !self.eat(b' ') {
                        return None;
                    }
                    // MariaDB pads the hour.
                    let _ = self.eat(b' ');
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
        // All names have three letters; most words are none.
        if !matches!(self.text.as_bytes().get(self.at + 3), Some(b' ' | b',')) {
            return None;
        }
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
