//! Finds the secrets in an argument vector.

use std::ops::Range;

use super::pair::{Separator, negated, separator, starts_option};
use super::programs::Options;
use super::rules::Rules;
use super::spans::{MASK, Span, mask};
use super::value::{is_blank, item_end, skip_blanks};
use super::words::{Hit, Kind};
use super::{Lines, Scrubber};

/// What an argument says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Plain,
    /// It is the value of an option or of a name with a sign behind it.
    Value,
    /// It is a scheme or a credential.
    Authorization,
    /// It is a credential if it is long.
    Credential,
    /// It may be a sign, or a hash.
    Hinted,
    /// It is a script for a shell.
    Script,
    /// It is a piece of a PEM block whose blanks split it.
    Pem,
}

/// Scrubs the arguments; `None` where nothing had to go.
pub(super) fn scrub(scrubber: &Scrubber, args: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let rules = &scrubber.rules;
    let first = args.iter().position(|arg| rules.suspects(arg))?;
    let mut options = args.first().and_then(|path| Options::of(path));
    let mut next = match first.checked_sub(1) {
        Some(before) if is_script_flag(args[before]) => Next::Script,
        _ => Next::Plain,
    };
    let mut changed = false;
    let mut out: Vec<Vec<u8>> = Vec::with_capacity(args.len());
    out.extend(args[..first].iter().map(|arg| arg.to_vec()));
    for (at, arg) in args.iter().enumerate().skip(first) {
        let by_program = match &mut options {
            Some(options) if at > 0 => options.secret_in(arg),
            _ => None,
        };
        let (scrubbed, after) = argument(scrubber, arg, next, by_program);
        next = match after {
            Next::Pem if !args[at..].iter().any(|arg| arg.starts_with(b"-----END")) => Next::Plain,
            after => after,
        };
        changed |= scrubbed != *arg;
        out.push(scrubbed);
    }
    changed.then_some(out)
}

fn argument(
    scrubber: &Scrubber,
    arg: &[u8],
    says: Next,
    by_program: Option<usize>,
) -> (Vec<u8>, Next) {
    let rules = &scrubber.rules;
    let whole = |next| (masked_from(scrubber, arg, 0), next);
    match says {
        Next::Value if !starts_option(arg) => return whole(Next::Plain),
        Next::Authorization if is_scheme(arg) => return (arg.to_vec(), Next::Value),
        Next::Authorization => return whole(Next::Plain),
        Next::Credential if rules.shapes.is_credential(arg) => return whole(Next::Plain),
        Next::Hinted if rules.shapes.is_hex(arg) => return whole(Next::Plain),
        Next::Hinted if matches!(arg, b"=" | b":" | b"=>" | b":=") => {
            return (arg.to_vec(), Next::Value);
        }
        Next::Pem if arg.starts_with(b"-----END") => return (arg.to_vec(), Next::Plain),
        Next::Pem if arg.ends_with(b"-----") || is_upper(arg) => return (arg.to_vec(), Next::Pem),
        Next::Pem => return whole(Next::Pem),
        _ => {}
    }
    if let Some(start) = by_program {
        return (masked_from(scrubber, arg, start), Next::Plain);
    }
    if !rules.suspects(arg) {
        let next = if is_script_flag(arg) {
            Next::Script
        } else {
            Next::Plain
        };
        return (arg.to_vec(), next);
    }
    if arg.starts_with(b"-----BEGIN") && !arg.iter().any(|byte| is_blank(*byte)) {
        return (arg.to_vec(), Next::Pem);
    }
    if says != Next::Script
        && let Some(head) = head(rules, arg)
    {
        return (head.mask(scrubber, arg), Next::Plain);
    }
    let scrubbed = Lines::new(scrubber).all(arg);
    (scrubbed, announces(rules, arg))
}

/// The pair that an argument starts with.
struct Head {
    /// Behind the name and its sign.
    sign_end: usize,
    secret: Range<usize>,
}

impl Head {
    /// Masks the pair's value; what is around it is text.
    fn mask(&self, scrubber: &Scrubber, arg: &[u8]) -> Vec<u8> {
        let mut out = Lines::new(scrubber).all(&arg[..self.sign_end]);
        let value = &arg[self.sign_end..self.secret.end];
        let secret = Span::new(0, self.secret.start - self.sign_end..value.len());
        scrubber.count(mask(value, &[secret], &mut out));
        out.extend(Lines::new(scrubber).all(&arg[self.secret.end..]));
        out
    }
}

/// The value of an argument that starts as a pair: `--word=value`,
/// `KEY=value`, `Header: value`, `--option=KEY=value`. There the value may
/// hold blanks and quotes: the argument's end is its end.
fn head(rules: &Rules, arg: &[u8]) -> Option<Head> {
    let (mut start, mut found) = (0, named(rules, arg, 0));
    if let Some((None, sign)) = found
        && arg.starts_with(b"-")
        && !sign.colon
    {
        start = sign.end;
        found = named(rules, arg, start);
    }
    let (hit, sign) = found?;
    let hit = hit?;
    let at = skip_blanks(arg, sign.end);
    let value = &arg[at..];
    if value.is_empty() || is_place(hit, sign, value) {
        return None;
    }
    if hit.kind == Kind::Directory && value.starts_with(b"/") {
        return None;
    }
    let end = if value.starts_with(MASK) {
        at + MASK.len()
    } else if hit.kind == Kind::Cookie || arg[start] == b'-' {
        arg.len()
    } else {
        item_end(&rules.words, arg, at)
    };
    let scheme = rules.words.name_end(arg, at);
    let credential = skip_blanks(arg, scheme);
    let keeps_scheme = hit.kind == Kind::Authorization
        && (scheme + 1..end).contains(&credential)
        && is_scheme(&arg[at..scheme]);
    Some(Head {
        sign_end: sign.end,
        secret: if keeps_scheme { credential } else { at }..end,
    })
}

/// The name at `at` and the sign behind it.
fn named(rules: &Rules, arg: &[u8], at: usize) -> Option<(Option<Hit>, Separator)> {
    let end = rules.words.name_end(arg, at);
    let name = &arg[at..end];
    let sign = separator(arg, end).filter(|_| end > at)?;
    let hit = rules.words.hit(name).or_else(|| match name {
        [b'-', letter, rest @ ..] if letter.is_ascii_alphabetic() => rules.words.hit(rest),
        _ => None,
    });
    Some((hit, sign))
}

/// `token.example.org:443`, `auth:x`, and what is for the text's rules.
fn is_place(hit: Hit, sign: Separator, value: &[u8]) -> bool {
    sign.colon && (hit.kind == Kind::WholeName || (!hit.at_end && value[0].is_ascii_digit()))
}

/// What an argument without a value of its own says about the next one.
fn announces(rules: &Rules, arg: &[u8]) -> Next {
    let end = rules.words.name_end(arg, 0);
    let rest = &arg[end..];
    if rest.is_empty()
        && (arg.eq_ignore_ascii_case(b"bearer") || arg.eq_ignore_ascii_case(b"basic"))
    {
        return Next::Credential;
    }
    let Some(hit) = rules.words.hit(&arg[..end]) else {
        return Next::Plain;
    };
    match rest {
        b"" if arg[0] == b'-' && negated(arg) => Next::Plain,
        b"" if arg[0] == b'-' => Next::Value,
        b"" => Next::Hinted,
        b":" if hit.kind == Kind::Authorization => Next::Authorization,
        b":" | b"=>" if hit.kind != Kind::WholeName => Next::Value,
        _ => Next::Plain,
    }
}

fn masked_from(scrubber: &Scrubber, arg: &[u8], start: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(arg.len());
    if start < arg.len() {
        let secret = Span::new(0, start..arg.len());
        scrubber.count(mask(arg, &[secret], &mut out));
    }
    out
}

fn is_scheme(arg: &[u8]) -> bool {
    [
        b"basic".as_slice(),
        b"bearer",
        b"token",
        b"negotiate",
        b"ntlm",
        b"apikey",
    ]
    .iter()
    .any(|scheme| arg.eq_ignore_ascii_case(scheme))
}

fn is_upper(arg: &[u8]) -> bool {
    arg.iter().all(u8::is_ascii_uppercase)
}

/// `-c`, also among other letters (`bash -lc`).
fn is_script_flag(arg: &[u8]) -> bool {
    matches!(arg, [b'-', letters @ .., b'c'] if letters.iter().all(u8::is_ascii_lowercase))
}
