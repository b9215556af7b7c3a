//! TOML text to a tree with positions, whatever the text.

use toml::Spanned;
use toml::de::{DeTable, Error};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// How deep arrays, inline tables and dotted keys may nest. Nothing that is
/// read here needs more than five; the tree is walked and dropped recursively,
/// so a deep one would end the process by a stack overflow.
const MAX_DEPTH: usize = 16;
/// Faults after these are told without their key.
const MAX_KEYS: usize = 200;

/// What could be read of a text, and what was wrong with it.
pub(super) struct Parsed<'t> {
    /// The tree, without what could not be read.
    pub(super) tree: Spanned<DeTable<'t>>,
    /// In the order of the text.
    pub(super) faults: Vec<Fault>,
}

/// One place where the text is not TOML.
pub(super) struct Fault {
    /// Byte offset in the text.
    pub(super) offset: Option<usize>,
    /// Dotted key, where one is at fault.
    pub(super) key: Option<String>,
    /// What is wrong.
    pub(super) message: String,
    /// The rest of the tree is as the author meant it.
    pub(super) harmless: bool,
}

/// Reads what can be read.
pub(super) fn parse(text: &str) -> Parsed<'_> {
    if let Some(offset) = too_deep(text) {
        let fault = Fault {
            offset: Some(offset),
            key: None,
            message: format!("is nested deeper than {MAX_DEPTH} levels"),
            harmless: false,
        };
        return Parsed {
            tree: Spanned::new(0..0, DeTable::new()),
            faults: vec![fault],
        };
    }
    let (tree, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut faults: Vec<Fault> = errors.iter().map(fault).collect();
    // The search reads all lines above: too slow for a flood of faults.
    for (fault, error) in faults.iter_mut().zip(&errors).take(MAX_KEYS) {
        fault.key = error
            .span()
            .filter(|_| fault.harmless)
            .and_then(|span| dotted_key(text, &span));
    }
    Parsed { tree, faults }
}

fn fault(error: &Error) -> Fault {
    let harmless = error.message() == "duplicate key";
    let message = if harmless {
        "duplicate key: it is already set above; keep one of them".to_owned()
    } else {
        format!("not valid TOML: {}", error.message())
    };
    Fault {
        offset: error.span().map(|span| span.start),
        key: None,
        message,
        harmless,
    }
}

/// The offset of the first token below the permitted depth. Brackets of one
/// kind never close the other, as in the parser, so that the count is not
/// fooled by unbalanced text.
fn too_deep(text: &str) -> Option<usize> {
    let (mut square, mut curly, mut dots) = (0_usize, 0_usize, 0_usize);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket => square += 1,
            TokenKind::RightSquareBracket => square = square.saturating_sub(1),
            TokenKind::LeftCurlyBracket => curly += 1,
            TokenKind::RightCurlyBracket => curly = curly.saturating_sub(1),
            _ => {}
        }
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Atom
            | TokenKind::BasicString
            | TokenKind::LiteralString
            | TokenKind::Whitespace => {}
            _ => dots = 0,
        }
        if square + curly > MAX_DEPTH || dots > MAX_DEPTH {
            return Some(token.span().start());
        }
    }
    None
}

/// The dotted key of the key text at `span`, by the headers above it.
fn dotted_key(text: &str, span: &std::ops::Range<usize>) -> Option<String> {
    let leaf = text.get(span.clone())?;
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next()?.trim_start();
    if let Some(header) = header(line) {
        return Some(header.to_owned());
    }
    let table = text.get(..start)?.lines().rev().find_map(header);
    let before = text.get(start..span.start)?;
    // In an inline table the key of the table stands before the sign.
    let parents = before
        .split_once('=')
        .map(|(outer, _)| outer)
        .or_else(|| before.rsplit_once('.').map(|(outer, _)| outer))
        .map(str::trim);
    let parts = table.into_iter().chain(parents).chain([leaf]);
    Some(parts.collect::<Vec<_>>().join("."))
}

/// The name in a `[table]` or `[[table]]` line.
fn header(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix('[')?;
    let rest = rest.strip_prefix('[').unwrap_or(rest);
    rest.split(']').next().map(str::trim)
}
