//! Which names in a line of text have a secret behind them.

use super::pair::{Separator, separator};
use super::spans::MASK;
use super::text::Scan;
use super::value::{ends_in_colour, is_blank, is_boundary, is_quote};
use super::words::{Hit, Kind, NAME_MAX};

impl Scan<'_> {
    /// The name that a literal at `at` lies in.
    pub(super) fn name_around(&self, at: usize) -> (usize, usize) {
        let words = &self.rules.words;
        let mut start = at;
        while start > 0 && at - start < NAME_MAX && words.is_name(self.line[start - 1]) {
            start -= 1;
        }
        // What belongs to an escape or to a colour, and not to the name.
        if start > 0 && self.line[start - 1] == b'\\' && b"nrt".contains(&self.line[start]) {
            start += usize::from(start < at);
        }
        // `%3F` before a name.
        let escape = self.line.get(start..start + 2).unwrap_or_default();
        if start > 0
            && self.line[start - 1] == b'%'
            && start + 2 <= at
            && escape.iter().all(u8::is_ascii_hexdigit)
        {
            start += 2;
        }
        if let Some(m) = self.line[start..at].iter().position(|byte| *byte == b'm')
            && ends_in_colour(&self.line[..=start + m])
        {
            start += m + 1;
        }
        (start, words.name_end(self.line, at))
    }

    /// Whether a name hits, alone, without the letter of an option (`-Dname`)
    /// or with the word behind it (`api key: …`).
    pub(super) fn hit(&self, start: usize, end: usize) -> Option<(Hit, usize)> {
        let words = &self.rules.words;
        let name = &self.line[start..end];
        if let Some(hit) = words.hit(name) {
            let is_part = hit.kind == Kind::WholeName && self.line[..start].ends_with(MASK);
            let hit = match self.phrase(start, end) {
                // In `auth api_key: …` the second word is the name.
                Some((phrase, until)) if hit.kind == Kind::WholeName => (phrase, until),
                Some((_, until)) => (hit, until),
                None => (hit, end),
            };
            return (!is_part).then_some(hit);
        }
        if let [b'-', letter, rest @ ..] = name
            && letter.is_ascii_alphabetic()
            && self.starts_as_option(start)
            && let Some(hit) = words.hit(rest)
        {
            return Some((hit, end));
        }
        let before = self.line[..start].strip_suffix(b" ");
        if let Some(before) = before {
            let from = before
                .iter()
                .rposition(|byte| !byte.is_ascii_alphanumeric())
                .map_or(0, |at| at + 1);
            let both = &self.line[from.max(start.saturating_sub(NAME_MAX))..end];
            // The word ends where the second name does: it needs both.
            let hit = words.hit(both).filter(|hit| hit.at_end);
            return hit.map(|hit| (hit, end));
        }
        None
    }

    /// A word that is written with a blank, as in `Session ID: …`, and its end.
    fn phrase(&self, start: usize, end: usize) -> Option<(Hit, usize)> {
        if self.line[start] == b'-' || self.line.get(end) != Some(&b' ') {
            return None;
        }
        let words = &self.rules.words;
        let until = words.name_end(self.line, end + 1);
        let fits = until > end + 1 && until - start <= NAME_MAX;
        let hit = fits.then(|| words.hit(&self.line[start..until]))??;
        (hit.at_end && separator(self.line, until).is_some()).then_some((hit, until))
    }

    /// Whether a name is an option's. Behind a mask is the rest of a word, as
    /// it was before the mask.
    pub(super) fn starts_as_option(&self, start: usize) -> bool {
        self.line[start] == b'-'
            && is_boundary(self.line, start)
            && !self.line[..start].ends_with(MASK)
    }

    /// Whether a name and a sign are a pair, and no place in a file, path,
    /// host with a port or heading.
    pub(super) fn pairs(&self, start: usize, hit: Hit, separator: Separator) -> bool {
        let rest = &self.line[separator.end..];
        if !separator.colon || separator.quoted_name {
            return true;
        }
        if hit.kind == Kind::WholeName {
            return false;
        }
        let spaced = rest.first().is_none_or(|byte| is_blank(*byte));
        if start > 0 && self.line[start - 1] == b'/' && (!spaced || self.in_path(start)) {
            return false;
        }
        let place = !spaced && !hit.at_end && rest[0].is_ascii_digit();
        !place
    }

    /// Whether the name behind a slash ends a path rather than a list such
    /// as `user/password`.
    fn in_path(&self, start: usize) -> bool {
        let before = &self.line[start.saturating_sub(NAME_MAX)..start];
        let from = before
            .iter()
            .rposition(|byte| is_blank(*byte) || is_quote(*byte) || b"=:,;([<>".contains(byte))
            .map_or(0, |at| at + 1);
        let path = &before[from..];
        matches!(path.first(), Some(b'/' | b'.' | b'~'))
            || path.iter().filter(|byte| **byte == b'/').count() > 1
    }
}
