//! Numbers of custom metrics: whole ones stay whole as long as they can.

use std::cmp::Ordering;

/// A number in a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Without a fraction.
    Int(i64),
    /// With one, or beyond 64 bits; finite.
    Double(f64),
}

impl Number {
    /// Nothing, counted.
    pub const ZERO: Self = Self::Int(0);

    /// Reads decimal text, with a sign, a fraction and an exponent where it
    /// has them; a trailing `%`, `,` or `;` is passed over.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim();
        let text = text.trim_end_matches(['%', ',', ';']);
        // Also words such as `inf` would be numbers.
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        if let Ok(whole) = text.parse() {
            return Some(Self::Int(whole));
        }
        Self::double(text.parse().ok()?)
    }

    /// As a floating-point number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(whole) => whole as f64,
            Self::Double(double) => double,
        }
    }

    /// The product; `None` where it is too large for any number.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Option<Self> {
        if let (Self::Int(whole), Some(factor)) = (self, whole(factor))
            && let Some(product) = whole.checked_mul(factor)
        {
            return Some(Self::Int(product));
        }
        Self::double(self.as_f64() * factor)
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.exactly(other, i64::checked_add)
            .unwrap_or_else(|| Self::finite(self.as_f64() + other.as_f64()))
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.exactly(other, i64::checked_sub)
            .unwrap_or_else(|| Self::finite(self.as_f64() - other.as_f64()))
    }

    /// Which one is larger.
    #[must_use]
    pub fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }

    fn exactly(self, other: Self, apply: fn(i64, i64) -> Option<i64>) -> Option<Self> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => apply(a, b).map(Self::Int),
            _ => None,
        }
    }

    fn double(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Double(value))
    }

    fn finite(value: f64) -> Self {
        Self::Double(value.clamp(f64::MIN, f64::MAX))
    }
}

/// A factor without a fraction as an integer.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "its size is checked")]
pub fn whole(factor: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (factor.fract() == 0.0 && factor.abs() <= EXACT).then_some(factor as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_and_nothing_else() {
        for (text, number) in [
            ("12", Some(Number::Int(12))),
            ("-12", Some(Number::Int(-12))),
            ("+7", Some(Number::Int(7))),
            (" 5\t", Some(Number::Int(5))),
            ("0.5", Some(Number::Double(0.5))),
            (".5", Some(Number::Double(0.5))),
            ("1e3", Some(Number::Double(1000.0))),
            ("42%", Some(Number::Int(42))),
            ("9,", Some(Number::Int(9))),
            (
                "18446744073709551615",
                Some(Number::Double(18_446_744_073_709_551_615.0)),
            ),
            ("inf", None),
            ("nan", None),
            ("-infinity", None),
            ("1e999", None),
            ("0x10", None),
            ("12kB", None),
            ("", None),
            ("-", None),
            ("unlimited", None),
        ] {
            assert_eq!(Number::parse(text.as_bytes()), number, "{text}");
        }
        assert_eq!(Number::parse(b"\xff"), None);
    }

    #[test]
    fn whole_numbers_stay_whole_while_they_fit() {
        let int = Number::Int;
        assert_eq!(int(3).scaled(1024.0), Some(int(3072)));
        assert_eq!(int(3).scaled(0.5), Some(Number::Double(1.5)));
        assert_eq!(
            int(i64::MAX).scaled(2.0),
            Some(Number::Double(i64::MAX as f64 * 2.0))
        );
        assert_eq!(Number::Double(f64::MAX).scaled(2.0), None);
        assert_eq!(int(1).plus(int(2)), int(3));
        assert_eq!(int(1).plus(Number::Double(0.5)), Number::Double(1.5));
        assert_eq!(int(i64::MAX).plus(int(1)), Number::Double(i64::MAX as f64));
        assert_eq!(int(i64::MAX - 1).order(int(i64::MAX)), Ordering::Less);
    }
}
