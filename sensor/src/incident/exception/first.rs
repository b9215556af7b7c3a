//! A line that a trace may begin with: what several parsers ask of it is found
//! out once.

use std::{cell::OnceCell, ops::Deref};

use super::head::{self, Look};

/// The bytes of a line, and what is known of them.
#[derive(Debug)]
pub struct First<'a> {
    line: &'a [u8],
    text: OnceCell<Option<&'a str>>,
    look: OnceCell<Option<Look>>,
    labelled: OnceCell<Option<usize>>,
}

impl Deref for First<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.line
    }
}

impl<'a> First<'a> {
    /// A line of which nothing is known.
    #[must_use]
    pub fn new(line: &'a [u8]) -> Self {
        Self {
            line,
            text: OnceCell::new(),
            look: OnceCell::new(),
            labelled: OnceCell::new(),
        }
    }

    /// The line as text; `None` where it is not UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        *self
            .text
            .get_or_init(|| std::str::from_utf8(self.line).ok())
    }

    /// How far it has the look of `Type: message`.
    pub(super) fn look(&self) -> Option<Look> {
        *self.look.get_or_init(|| head::look(self.line))
    }

    /// Where the name of a class begins behind other words.
    pub(super) fn labelled(&self) -> Option<usize> {
        *self.labelled.get_or_init(|| head::labelled(self.line))
    }

    /// The cheap test that goes before all others: whether the line begins with
    /// a name that a colon follows, or a name with dots all by itself.
    pub(super) fn is_like_class(&self) -> bool {
        let named = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
        match self.line {
            // Node shows some errors in brackets.
            [b'[', name @ ..] => name.first().is_some_and(named) && head::look(name).is_some(),
            line => line.first().is_some_and(named) && (self.look().is_some() || self.is_scoped()),
        }
    }

    /// Whether it begins with the name of a class of Ruby's, `Till::Unpaid`.
    fn is_scoped(&self) -> bool {
        self.line.first().is_some_and(u8::is_ascii_uppercase)
            && self.line[head::name_end(self.line)..].starts_with(b"::")
    }

    /// The same of a line behind one tab, which has to be a class for sure.
    pub(super) fn is_indented_class(&self) -> bool {
        matches!(self.line, [b'\t', first, ..] if first.is_ascii_alphabetic())
            && self.look() == Some(Look::Class)
    }

    /// Whether it is one word with a dot in it: `main.(*Till).take`, which may
    /// be a function of Go all by itself. Nearly all lines have a blank behind
    /// their first word, and are passed over there.
    pub(super) fn is_function(&self) -> bool {
        // No function has so long a name, but some lines of encoded data do.
        if !self.line.first().is_some_and(u8::is_ascii_alphabetic) || self.line.len() > 512 {
            return false;
        }
        let (_, rest) = self.line.split_at(head::name_end(self.line));
        matches!(rest.first(), None | Some(b'(' | b'[' | b'-' | b'~' | b'%'))
            && !rest.contains(&b' ')
            && self.line.contains(&b'.')
    }
}
