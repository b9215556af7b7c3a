//! Values that stand in a file as they are.

use super::{Kind, Token};

/// How deep brackets may nest; nothing that is wanted needs more than three.
const MAX_DEPTH: usize = 16;

const NOT_LITERAL: &str = "is not a literal";

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plugin) enum Literal {
    /// `"…"`
    Text(String),
    /// A number or a truth value, as text.
    Scalar(String),
    /// `None`
    Nothing,
    /// A list or a tuple, each element with its line.
    List(Vec<(usize, Literal)>),
    /// A dictionary, each key with its line.
    Dict(Vec<(usize, Literal, Literal)>),
}

impl Literal {
    /// What it is, for people.
    pub(in crate::plugin) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Scalar(_) => "a number or a truth value",
            Self::Nothing => "None",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
        }
    }
}

/// The literal that all of the tokens are.
///
/// # Errors
/// Why they are none.
pub(in crate::plugin) fn literal(tokens: &[Token]) -> Result<Literal, &'static str> {
    let mut reader = Reader { tokens, at: 0 };
    let first = reader.value(0)?;
    // A tuple needs no parentheses.
    let value = match reader.take(',') {
        true => {
            let mut elements = vec![(reader.line_before(), first)];
            while !reader.is_done() {
                elements.push((reader.line(), reader.value(0)?));
                if !reader.take(',') {
                    break;
                }
            }
            Literal::List(elements)
        }
        false => first,
    };
    match reader.is_done() {
        true => Ok(value),
        false => Err(NOT_LITERAL),
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Literal, &'static str> {
        if depth > MAX_DEPTH {
            return Err("is nested too deep");
        }
        let token = self.tokens.get(self.at).ok_or(NOT_LITERAL)?;
        self.at += 1;
        match &token.kind {
            Kind::Text(_) => {
                self.at -= 1;
                self.text()
            }
            Kind::Number(text) => number(text, false),
            Kind::Sign(sign @ ('-' | '+')) => match self.tokens.get(self.at).map(|t| &t.kind) {
                Some(Kind::Number(text)) => {
                    self.at += 1;
                    number(text, *sign == '-')
                }
                _ => Err(NOT_LITERAL),
            },
            Kind::Name(name) => match name.as_str() {
                "True" => Ok(Literal::Scalar("true".to_owned())),
                "False" => Ok(Literal::Scalar("false".to_owned())),
                "None" => Ok(Literal::Nothing),
                _ => Err(NOT_LITERAL),
            },
            Kind::Sign('(') => self.parentheses(depth),
            Kind::Sign('[') => self.elements(']', depth).map(Literal::List),
            Kind::Sign('{') => self.dict(depth),
            _ => Err(NOT_LITERAL),
        }
    }

    /// Strings side by side are one.
    fn text(&mut self) -> Result<Literal, &'static str> {
        let mut whole = String::new();
        while let Some(Kind::Text(text)) = self.tokens.get(self.at).map(|token| &token.kind) {
            whole.push_str(text.as_ref().map_err(|reason| *reason)?);
            self.at += 1;
        }
        Ok(Literal::Text(whole))
    }

    /// `("a")` is a string, `("a",)` a tuple.
    fn parentheses(&mut self, depth: usize) -> Result<Literal, &'static str> {
        let mut elements = self.elements(')', depth)?;
        let comma = self.at.checked_sub(2).and_then(|at| self.tokens.get(at));
        let comma = comma.is_some_and(|token| token.kind == Kind::Sign(','));
        match elements.len() {
            1 if !comma => elements.pop().map(|(_, value)| value).ok_or(NOT_LITERAL),
            _ => Ok(Literal::List(elements)),
        }
    }

    fn elements(
        &mut self,
        close: char,
        depth: usize,
    ) -> Result<Vec<(usize, Literal)>, &'static str> {
        let mut elements = Vec::new();
        while !self.take(close) {
            elements.push((self.line(), self.value(depth + 1)?));
            if !self.take(',') && !self.is_next(close) {
                return Err(NOT_LITERAL);
            }
        }
        Ok(elements)
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, &'static str> {
        let mut entries = Vec::new();
        while !self.take('}') {
            let line = self.line();
            let key = self.value(depth + 1)?;
            if !self.take(':') {
                return Err(NOT_LITERAL);
            }
            entries.push((line, key, self.value(depth + 1)?));
            if !self.take(',') && !self.is_next('}') {
                return Err(NOT_LITERAL);
            }
        }
        Ok(Literal::Dict(entries))
    }

    fn is_next(&self, sign: char) -> bool {
        let next = self.tokens.get(self.at);
        next.is_some_and(|token| token.kind == Kind::Sign(sign))
    }

    fn take(&mut self, sign: char) -> bool {
        let there = self.is_next(sign);
        self.at += usize::from(there);
        there
    }

    fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn line(&self) -> usize {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(0, |token| token.line)
    }

    fn line_before(&self) -> usize {
        self.tokens.first().map_or(0, |token| token.line)
    }
}

/// A number as Python prints it (Language Reference, "Numeric literals").
fn number(text: &str, negative: bool) -> Result<Literal, &'static str> {
    let sign = if negative { "-" } else { "" };
    let digits = text.replace('_', "").to_ascii_lowercase();
    let integer = |radix, digits: &str| {
        let value = i128::from_str_radix(digits, radix).map_err(|_| NOT_LITERAL)?;
        // There is no negative zero among the whole numbers.
        let sign = if value == 0 { "" } else { sign };
        Ok(Literal::Scalar(format!("{sign}{value}")))
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return integer(radix, digits);
        }
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer(10, &digits);
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Literal::Scalar(format!("{sign}{value:?}"))),
        _ => Err(NOT_LITERAL),
    }
}
