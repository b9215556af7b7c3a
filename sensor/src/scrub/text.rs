//! Finds the secrets in one line of text.

use std::ops::Range;

use super::pair::{Separator, negated, separator, starts_option};
use super::programs::Options;
use super::rules::{Anchor, Rules};
use super::spans::{MASK, Span};
use super::value::{bare_end, bracket_end, is_blank, is_quote, quoted, skip_blanks, skip_colours};
use super::words::{Hit, Kind, NAME_MAX};

/// As far as the end of an encoded pair is looked for, bytes.
const ENCODED_MAX: usize = 4_096;

/// Where a part of a value begins.
fn find(value: &[u8], part: &[u8]) -> Option<usize> {
    value.windows(part.len()).position(|window| window == part)
}

/// Schemes whose credential is one token behind them.
const SCHEMES: &[&[u8]] = &[
    b"basic",
    b"bearer",
    b"token",
    b"apikey",
    b"key",
    b"negotiate",
    b"ntlm",
    b"splunk",
];

/// Schemes whose credential is a list.
const LIST_SCHEMES: &[&[u8]] = &[
    b"digest",
    b"aws4-hmac-sha256",
    b"hawk",
    b"oauth",
    b"signature",
];

/// Where the next one of a list of quoted arguments begins, with its quote:
/// `"--word", "value"`.
fn next_in_list(line: &[u8], end: usize) -> Option<usize> {
    let [quote, b',', ..] = line.get(end..)? else {
        return None;
    };
    let at = skip_blanks(line, end + 2);
    (is_quote(*quote) && line.get(at) == Some(quote)).then_some(at)
}

/// One pass over a line.
pub(super) struct Scan<'a> {
    pub(super) rules: &'a Rules,
    pub(super) line: &'a [u8],
    /// Names up to here have been looked at.
    names_until: usize,
    /// The words of known programs up to here have been looked at.
    programs_until: usize,
    spans: &'a mut Vec<Span>,
}

/// Collects the secrets of a line, but for PEM blocks; whether one may begin
/// here is returned.
pub(super) fn scan(rules: &Rules, line: &[u8], spans: &mut Vec<Span>) -> bool {
    Scan {
        rules,
        line,
        names_until: 0,
        programs_until: 0,
        spans,
    }
    .run()
}

impl Scan<'_> {
    fn run(&mut self) -> bool {
        let mut pem = false;
        let rules = self.rules;
        let shapes = &rules.shapes;
        let mut masked_until = 0;
        for (found, anchor) in rules.anchors_in(self.line) {
            // A block goes on behind the value that it begins in.
            pem |= anchor == Anchor::Pem;
            if found.start < masked_until {
                continue;
            }
            let secret = match anchor {
                Anchor::Word => {
                    masked_until = self.word(found.start);
                    continue;
                }
                Anchor::Program => {
                    self.program(&found);
                    continue;
                }
                Anchor::Key => shapes.key(self.line, found.start),
                Anchor::Url => shapes.url_password(self.line, found.start),
                Anchor::Scheme => shapes.credential(self.line, found.clone()),
                Anchor::Pem => None,
            };
            if let Some(secret) = secret {
                self.spans.push(Span::new(found.start, secret));
            }
        }
        for pattern in &rules.patterns {
            for found in pattern.find_iter(self.line) {
                if found.as_bytes().iter().any(|byte| *byte != b'*') {
                    self.spans.push(Span::new(found.start(), found.range()));
                }
            }
        }
        pem
    }

    /// A word at `at`: masks its value; returns where the value ends.
    fn word(&mut self, at: usize) -> usize {
        if at < self.names_until {
            return at;
        }
        let (start, end) = self.name_around(at);
        self.names_until = end;
        let Some((hit, end)) = self.hit(start, end) else {
            return at;
        };
        self.names_until = self.names_until.max(end);
        let value = match separator(self.line, end) {
            Some(separator) if self.pairs(start, hit, separator) => {
                self.pair_value(start, hit, separator)
            }
            Some(_) => None,
            None => self.loose_value(start, hit, end),
        };
        let Some((secret, resume)) = value else {
            return at;
        };
        if !secret.is_empty() {
            self.spans.push(Span::new(start, secret));
        }
        resume
    }

    fn pair_value(
        &self,
        start: usize,
        hit: Hit,
        separator: Separator,
    ) -> Option<(Range<usize>, usize)> {
        let at = skip_colours(self.line, skip_blanks(self.line, separator.end));
        let blank_after = at > separator.end;
        if blank_after && !separator.colon && !separator.blank_before && self.starts_pair(at) {
            // `password= user=bob`
            return None;
        }
        let opens_line = separator.colon && blank_after && self.opens_line(start);
        if separator.encoded {
            // Before the value is looked at: a line may be one such list.
            let near = &self.line[at..self.line.len().min(at + ENCODED_MAX)];
            let encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+-._~*/".contains(byte);
            let end = near.iter().position(|byte| !encoded(byte));
            if let Some(length) = find(&near[..end.unwrap_or(near.len())], b"%26") {
                return Some((at..at + length, at + length));
            }
        }
        let value = self.value(hit.kind, at, opens_line)?;
        let unsaid = hit.kind == Kind::Directory && self.line[value.0.start..].starts_with(b"/");
        (!unsaid).then_some(value)
    }

    fn starts_pair(&self, at: usize) -> bool {
        let end = self.rules.words.name_end(self.line, at);
        end > at && self.line.get(end) == Some(&b'=')
    }

    /// Whether nothing but an indent or a list's dash is before a name.
    fn opens_line(&self, start: usize) -> bool {
        let before = &self.line[..start];
        let before = before.strip_suffix(b"- ").unwrap_or(before);
        before.len() <= NAME_MAX && before.iter().all(|byte| is_blank(*byte))
    }

    /// The value at `at`: what to mask, and where to go on.
    fn value(&self, kind: Kind, at: usize, opens_line: bool) -> Option<(Range<usize>, usize)> {
        let line = self.line;
        let words = &self.rules.words;
        let rest = line.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(MASK) {
            return Some((at..at + MASK.len(), at + MASK.len()));
        }
        if let Some((secret, after)) = quoted(words, line, at) {
            return Some((secret, after));
        }
        let open = at + usize::from(matches!(rest, [b'$', b'(' | b'{', ..]));
        if let b'[' | b'{' | b'(' = line[open] {
            if let Some(end) = bracket_end(line, open) {
                let empty = line[open + 1..end - 1].iter().all(|byte| is_blank(*byte));
                return (!empty).then(|| (at..end.max(bare_end(words, line, at)), end));
            }
            if rest
                .get(1)
                .is_none_or(|byte| is_blank(*byte) || is_quote(*byte))
            {
                return None;
            }
        }
        let end = match kind {
            Kind::Authorization => return Some(self.credential(at, opens_line)),
            Kind::Cookie => self.cookie_end(at),
            _ if opens_line => self.scalar_end(at),
            _ => bare_end(words, line, at),
        };
        let nothing = matches!(
            &line[at..end],
            b"null" | b"true" | b"false" | b"None" | b"nil" | b"|" | b"|-"
        );
        (!nothing).then_some((at..end, end))
    }

    /// A YAML scalar may hold blanks; a message with further pairs is none.
    fn scalar_end(&self, at: usize) -> usize {
        let rest = self.line[at..].trim_ascii_end();
        if rest.iter().any(|byte| matches!(byte, b'=' | b':' | b'"')) {
            return bare_end(&self.rules.words, self.line, at);
        }
        at + rest.len()
    }

    /// `Authorization: scheme credential`; the scheme stays.
    fn credential(&self, at: usize, opens_line: bool) -> (Range<usize>, usize) {
        let words = &self.rules.words;
        let scheme = words.name_end(self.line, at);
        let name = self.line[at..scheme].to_ascii_lowercase();
        let start = skip_blanks(self.line, scheme);
        let end = if start == scheme || start == self.line.len() {
            bare_end(words, self.line, at)
        } else if LIST_SCHEMES.contains(&name.as_slice()) {
            self.line.len()
        } else if SCHEMES.contains(&name.as_slice()) {
            let end = if self.line[start..].starts_with(MASK) {
                start + MASK.len()
            } else {
                bare_end(words, self.line, start)
            };
            return (start..end, end);
        } else if opens_line {
            self.scalar_end(at)
        } else {
            bare_end(words, self.line, at)
        };
        (at..end, end)
    }

    /// Pairs with `; ` between them are one value.
    fn cookie_end(&self, at: usize) -> usize {
        let words = &self.rules.words;
        let mut at = at;
        loop {
            let mut end = bare_end(words, self.line, at);
            while self.line.get(end).is_some_and(|byte| *byte == b';')
                && self
                    .line
                    .get(end + 1)
                    .is_some_and(|byte| !is_blank(*byte) && !is_quote(*byte))
            {
                end = bare_end(words, self.line, end + 1).max(end + 1);
            }
            let next = skip_blanks(self.line, end + 1);
            if end == at || self.line.get(end) != Some(&b';') || next >= self.line.len() {
                return end;
            }
            at = next;
        }
    }

    /// A value without a sign: `--word value`, `<word>value</word>`, a hash.
    fn loose_value(&self, start: usize, hit: Hit, end: usize) -> Option<(Range<usize>, usize)> {
        let line = self.line;
        if start > 0 && line[start - 1] == b'<' && line.get(end) == Some(&b'>') {
            let length = line[end..]
                .iter()
                .take(NAME_MAX * 32)
                .position(|byte| *byte == b'<')?;
            return Some((end + 1..end + length, end + length));
        }
        let listed = next_in_list(line, end);
        let at = listed.unwrap_or_else(|| skip_blanks(line, end));
        let blank = at > end;
        let text = at + usize::from(listed.is_some());
        if blank
            && self.starts_as_option(start)
            && !negated(&line[start..end])
            && !starts_option(&line[text..])
        {
            return self.value(hit.kind, at, false);
        }
        let hash = self.rules.shapes.hex(line, end)?;
        let resume = hash.end;
        Some((hash, resume))
    }

    /// A known program in a command line: masks its password.
    fn program(&mut self, name: &Range<usize>) {
        let line = self.line;
        let words = &self.rules.words;
        let end = words.name_end(line, name.start);
        let starts = name.start.checked_sub(1).is_none_or(|before| {
            let byte = line[before];
            is_blank(byte) || is_quote(byte) || b"/;|&($=".contains(&byte)
        });
        if !starts || name.start < self.programs_until {
            return;
        }
        let Some(mut options) = Options::of(&line[name.start..end]) else {
            return;
        };
        // `['mysql', '-pPASSWORD']`, as Python shows arguments.
        let list = next_in_list(line, end).is_some();
        let mut at = end + usize::from(list);
        loop {
            let comma = list && line.get(at) == Some(&b',');
            let start = skip_blanks(line, at + usize::from(comma));
            if list && !comma {
                break;
            }
            if start == at || start >= line.len() || b"|;&)".contains(&line[start]) {
                break;
            }
            // `-p'a b'` opens its quote behind the letter.
            let attached = matches!(line[start..], [b'-', letter, quote, ..]
                if letter.is_ascii_alphabetic() && is_quote(quote));
            let open = if attached { start + 2 } else { start };
            let (text, after) = quoted(words, line, open).unwrap_or_else(|| {
                let end = bare_end(words, line, start);
                (start..end, end)
            });
            let word = if attached { start } else { text.start }..text.end;
            if let Some(offset) = options.secret_in(&line[word.clone()]) {
                let secret = (word.start + offset).max(text.start)..text.end;
                if !secret.is_empty() {
                    self.spans.push(Span::new(name.start, secret));
                }
            }
            at = after.max(start + 1);
        }
        self.programs_until = at;
    }
}
