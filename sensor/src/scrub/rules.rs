//! Everything that a scrubber looks for, compiled once.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::Regex;

use super::programs::PROGRAMS;
use super::shapes::{KEY_ANCHORS, PEM_ANCHORS, SCHEME_ANCHORS, Shapes, URL_ANCHORS};
use super::words::Words;
use super::{ScrubConfig, ScrubError};

/// What a literal in the text may be the start of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Word,
    Key,
    Url,
    Scheme,
    Pem,
    Program,
}

/// The rules and the search for the literals that every secret has near it.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) words: Words,
    pub(super) shapes: Shapes,
    pub(super) patterns: Vec<Regex>,
    anchors: AhoCorasick,
    kinds: Vec<Anchor>,
}

impl Rules {
    pub(super) fn new(config: &ScrubConfig) -> Result<Self, ScrubError> {
        let words = Words::new(&config.words, &config.keep).map_err(ScrubError::Word)?;
        let mut patterns = Vec::with_capacity(config.patterns.len());
        for pattern in &config.patterns {
            patterns.push(Regex::new(pattern).map_err(|source| ScrubError::Pattern {
                pattern: pattern.clone(),
                source: Box::new(source),
            })?);
        }
        let mut literals: Vec<(&[u8], Anchor)> = Vec::new();
        literals.extend(words.anchors().iter().map(|word| (&word[..], Anchor::Word)));
        for (list, anchor) in [
            (KEY_ANCHORS, Anchor::Key),
            (URL_ANCHORS, Anchor::Url),
            (SCHEME_ANCHORS, Anchor::Scheme),
            (PEM_ANCHORS, Anchor::Pem),
        ] {
            literals.extend(list.iter().map(|literal| (literal.as_bytes(), anchor)));
        }
        literals.extend(
            PROGRAMS
                .iter()
                .map(|(name, _)| (name.as_bytes(), Anchor::Program)),
        );
        let anchors = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // One table look-up a byte; the set is small enough for it.
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals.iter().map(|(literal, _)| literal))
            .map_err(|source| ScrubError::Compile(Box::new(source)))?;
        let kinds = literals.iter().map(|(_, kind)| *kind).collect();
        Ok(Self {
            shapes: Shapes::new().map_err(|source| ScrubError::Compile(Box::new(source)))?,
            words,
            patterns,
            anchors,
            kinds,
        })
    }

    /// All literals in a line, by their ends; one may lie in another.
    pub(super) fn anchors_in(&self, line: &[u8]) -> impl Iterator<Item = (Range<usize>, Anchor)> {
        self.anchors
            .find_overlapping_iter(line)
            .map(|found| (found.range(), self.kinds[found.pattern().as_usize()]))
    }

    /// Whether the bytes need a closer look. Most do not.
    pub(super) fn suspects(&self, bytes: &[u8]) -> bool {
        self.anchors.is_match(bytes) || self.patterns.iter().any(|p| p.is_match(bytes))
    }
}
