//! Python's string literals.

use super::{Kind, Lexer};

/// How deep strings may stand in the braces of formatted ones.
const MAX_DEPTH: usize = 16;

const UNCLOSED: &str = "the string that begins here is not closed";

impl Lexer<'_> {
    /// The rest of a string behind its first quote.
    pub(super) fn string(&mut self, prefix: &str, quote: char) -> Kind {
        let raw = prefix.contains('r');
        let formatted = prefix.contains(['f', 't']);
        let refused = match prefix {
            _ if formatted => Some("a formatted string is no constant"),
            _ if prefix.contains('b') => Some("bytes are no text"),
            _ => None,
        };
        let start = self.line;
        let mut text = String::new();
        let mut fault = None;
        if !self.body(quote, raw, formatted, 0, &mut text, &mut fault) {
            self.fault(start, UNCLOSED);
            fault = Some(UNCLOSED);
        }
        match refused.or(fault) {
            Some(reason) => Kind::Text(Err(reason)),
            None => Kind::Text(Ok(text)),
        }
    }

    /// Reads up to the quote that closes; false where none does.
    fn body(
        &mut self,
        quote: char,
        raw: bool,
        formatted: bool,
        depth: usize,
        text: &mut String,
        fault: &mut Option<&'static str>,
    ) -> bool {
        let mut triple = false;
        if self.take(quote) {
            if !self.take(quote) {
                return true;
            }
            triple = true;
        }
        loop {
            if !triple && self.peek() == Some('\n') {
                return false;
            }
            let Some((_, char)) = self.next() else {
                return false;
            };
            match char {
                char if char == quote => {
                    if !triple {
                        return true;
                    }
                    if self.take(quote) {
                        if self.take(quote) {
                            return true;
                        }
                        text.push(quote);
                    }
                    text.push(quote);
                }
                '\\' if raw => {
                    text.push('\\');
                    text.extend(self.next().map(|(_, char)| char));
                }
                '\\' => {
                    if let Err(reason) = self.escape(text) {
                        *fault = Some(reason);
                    }
                }
                '{' if formatted => {
                    if !self.take('{') && !self.braces(depth) {
                        return false;
                    }
                }
                char => text.push(char),
            }
        }
    }

    /// Passes over what stands in braces: any expression, with strings of its
    /// own that may have the same quotes (since Python 3.12).
    fn braces(&mut self, depth: usize) -> bool {
        if depth >= MAX_DEPTH {
            return false;
        }
        let (mut open, mut brackets) = (1_usize, 0_usize);
        // Behind the colon a quote is only a character to fill up with.
        let mut format = false;
        let mut previous = ' ';
        while let Some((_, char)) = self.next() {
            match char {
                '{' => open += 1,
                '}' => open -= 1,
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                ':' if open == 1 && brackets == 0 => format = true,
                '"' | '\'' if !format || open > 1 => {
                    let raw = matches!(previous, 'r' | 'R');
                    let formatted = matches!(previous, 'f' | 'F' | 't' | 'T');
                    let (mut text, mut fault) = (String::new(), None);
                    if !self.body(char, raw, formatted, depth + 1, &mut text, &mut fault) {
                        return false;
                    }
                }
                _ => {}
            }
            if open == 0 {
                return true;
            }
            previous = char;
        }
        false
    }

    /// What stands behind a backslash (Language Reference, "Escape sequences").
    fn escape(&mut self, text: &mut String) -> Result<(), &'static str> {
        let Some((_, char)) = self.next() else {
            return Ok(());
        };
        match char {
            '\n' => {}
            '\\' | '\'' | '"' => text.push(char),
            'a' => text.push('\x07'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\x0b'),
            '0'..='7' => {
                let mut code = char.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|char| char.to_digit(8)) else {
                        break;
                    };
                    self.next();
                    code = code * 8 + digit;
                }
                text.extend(char::from_u32(code));
            }
            'x' => self.code(2, text)?,
            'u' => self.code(4, text)?,
            'U' => self.code(8, text)?,
            'N' => return Err("\\N{…} is not read here; write the character itself"),
            // An unknown escape stays as it is.
            other => text.extend(['\\', other]),
        }
        Ok(())
    }

    fn code(&mut self, digits: usize, text: &mut String) -> Result<(), &'static str> {
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.peek().and_then(|char| char.to_digit(16));
            let digit = digit.ok_or("an escape has too few hexadecimal digits")?;
            self.next();
            code = code.wrapping_mul(16).wrapping_add(digit);
        }
        let char = char::from_u32(code).ok_or("an escape is no character of Unicode")?;
        text.push(char);
        Ok(())
    }
}
