//! Searches in short texts. `str` prepares a table for each search, and a call
//! of `memchr` chooses between implementations: both cost more than to look at
//! a line of a log in words of eight bytes.

/// Every byte 1, every byte's highest bit.
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// Behind so many bytes vector instructions are worth their call.
const NEAR: usize = 128;

/// Where a byte is first.
#[inline]
#[must_use]
pub fn first(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, rest) = near(bytes).as_chunks::<8>();
    let pattern = u64::from(wanted) * ONES;
    for (number, word) in words.iter().enumerate() {
        let found = zeros(u64::from_le_bytes(*word) ^ pattern);
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    match rest.iter().position(|byte| *byte == wanted) {
        Some(at) => Some(words.len() * 8 + at),
        None if bytes.len() > NEAR => far(bytes, |far| memchr::memchr(wanted, far)),
        None => None,
    }
}

/// The part of a text that is looked at here.
#[inline]
fn near(bytes: &[u8]) -> &[u8] {
    bytes.get(..NEAR).unwrap_or(bytes)
}

/// Where something is behind that.
#[cold]
fn far(bytes: &[u8], find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    Some(find(bytes.get(NEAR..)?)? + NEAR)
}

/// Where one of two bytes is first.
#[inline]
#[must_use]
pub fn first_of(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    let (words, rest) = near(bytes).as_chunks::<8>();
    let patterns = (u64::from(one) * ONES, u64::from(other) * ONES);
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ patterns.0) | zeros(word ^ patterns.1);
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let is = |byte: &u8| *byte == one || *byte == other;
    match rest.iter().position(is) {
        Some(at) => Some(words.len() * 8 + at),
        None if bytes.len() > NEAR => far(bytes, |far| memchr::memchr2(one, other, far)),
        None => None,
    }
}

/// Where a byte is last.
#[inline]
#[must_use]
pub fn last(bytes: &[u8], wanted: u8) -> Option<usize> {
    let far = bytes.len().saturating_sub(NEAR);
    let (rest, words) = bytes.get(far..).unwrap_or_default().as_rchunks::<8>();
    let pattern = u64::from(wanted) * ONES;
    for (number, word) in words.iter().enumerate().rev() {
        // In the other order the first of the zeros, which is exact, is last.
        let found = zeros(u64::from_be_bytes(*word) ^ pattern);
        if found != 0 {
            let at = rest.len() + number * 8 + 7 - found.trailing_zeros() as usize / 8;
            return Some(far + at);
        }
    }
    match rest.iter().rposition(|byte| *byte == wanted) {
        Some(at) => Some(far + at),
        None if far > 0 => memchr::memrchr(wanted, bytes.get(..far)?),
        None => None,
    }
}

/// Whether one of two bytes is in it.
#[inline]
#[must_use]
pub fn any(bytes: &[u8], one: u8, other: u8) -> bool {
    let is = |byte: &u8| *byte == one || *byte == other;
    if bytes.len() > NEAR {
        return memchr::memchr2(one, other, bytes).is_some();
    }
    let Some(end) = bytes.last_chunk::<8>() else {
        return bytes.iter().any(is);
    };
    let (one, other) = (u64::from(one) * ONES, u64::from(other) * ONES);
    let found = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        zeros(word ^ one) | zeros(word ^ other)
    };
    // The last word may overlap the one before it.
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(found(end), |all, word| all | found(word)) != 0
}

/// A bit for the first byte that is 0, and maybe more bits above it.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Which bytes are among these.
#[must_use]
pub const fn table(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

/// Searches that prepare nothing.
pub trait Find {
    /// Where a part begins first.
    fn place(&self, part: &str) -> Option<usize>;
    /// Whether a part is in it.
    fn has(&self, part: &str) -> bool;
    /// What is before and behind the first of a part.
    fn cut(&self, part: &str) -> Option<(&str, &str)>;
    /// What is before and behind the last of a part.
    fn rcut(&self, part: &str) -> Option<(&str, &str)>;
    /// The lines, as of [`str::lines`].
    fn rows(&self) -> Rows<'_>;
}

impl Find for str {
    #[inline]
    fn place(&self, part: &str) -> Option<usize> {
        let (letter, at) = rare(part)?;
        let bytes = self.as_bytes();
        let mut from = at;
        loop {
            let found = from + first(bytes.get(from..)?, letter)?;
            if is_at(bytes, found - at, part) {
                return Some(found - at);
            }
            from = found + 1;
        }
    }

    #[inline]
    fn has(&self, part: &str) -> bool {
        self.place(part).is_some()
    }

    #[inline]
    fn cut(&self, part: &str) -> Option<(&str, &str)> {
        around(self, self.place(part)?, part)
    }

    // The compiler knows the part at every place, but would not use that.
    #[inline(always)]
    fn rcut(&self, part: &str) -> Option<(&str, &str)> {
        let (letter, at) = rare(part)?;
        let bytes = self.as_bytes();
        let mut to = bytes.len();
        loop {
            to = last(bytes.get(..to)?, letter)?;
            let start = to.checked_sub(at)?;
            if is_at(bytes, start, part) {
                return around(self, start, part);
            }
        }
    }

    #[inline]
    fn rows(&self) -> Rows<'_> {
        Rows { rest: self }
    }
}

/// Lines without their ends.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((row, rest)) = self.rest.cut("\n") else {
            return Some(std::mem::take(&mut self.rest));
        };
        self.rest = rest;
        Some(row.strip_suffix('\r').unwrap_or(row))
    }
}

/// The first byte of a part that is no blank, which texts are full of.
#[inline]
fn rare(part: &str) -> Option<(u8, usize)> {
    let bytes = part.as_bytes();
    let at = bytes.iter().position(|byte| *byte != b' ').unwrap_or(0);
    Some((*bytes.get(at)?, at))
}

#[inline]
fn is_at(text: &[u8], start: usize, part: &str) -> bool {
    text.get(start..)
        .is_some_and(|rest| rest.starts_with(part.as_bytes()))
}

#[inline]
fn around<'a>(text: &'a str, start: usize, part: &str) -> Option<(&'a str, &'a str)> {
    Some((text.get(..start)?, text.get(start + part.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::{Find, any, first, first_of, last};

    #[test]
    fn as_str_does() {
        for text in ["", " in ", "a in b in c", "x", "äin in", "  in  in", "in"] {
            for part in [" in ", "in", "x", " ", "b in c", "ä"] {
                assert_eq!(text.place(part), text.find(part), "{text:?} {part:?}");
                assert_eq!(text.has(part), text.contains(part), "{text:?} {part:?}");
                assert_eq!(text.cut(part), text.split_once(part), "{text:?} {part:?}");
                assert_eq!(text.rcut(part), text.rsplit_once(part), "{text:?} {part:?}");
            }
        }
    }

    #[test]
    fn bytes_and_lines_as_std_finds_them() {
        let letters = [b'a', b'\n', b'\r', b'b', 0x80, 0x0b, 0];
        let mut number = 1_u32;
        let mut next = |most: usize| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 16) as usize % most
        };
        for _ in 0..20_000 {
            let kinds = 1 + next(letters.len());
            let length = next(if kinds == 2 { 300 } else { 40 });
            let text: Vec<u8> = (0..length).map(|_| letters[next(kinds)]).collect();
            let wanted = letters[next(letters.len())];
            let is = |byte: &u8| *byte == wanted;
            assert_eq!(first(&text, wanted), text.iter().position(is), "{text:?}");
            assert_eq!(last(&text, wanted), text.iter().rposition(is), "{text:?}");
            let either = |byte: &u8| *byte == wanted || *byte == b'b';
            assert_eq!(any(&text, wanted, b'b'), text.iter().any(either));
            let place = text.iter().position(either);
            assert_eq!(first_of(&text, wanted, b'b'), place, "{text:?}");
            let text = String::from_utf8_lossy(&text);
            assert!(text.rows().eq(text.lines()), "{text:?}");
            let part: String = (0..next(5)).map(|_| ['a', 'b', '\n'][next(3)]).collect();
            if !part.is_empty() {
                assert_eq!(text.place(&part), text.find(&part), "{text:?} {part:?}");
            }
        }
    }
}
