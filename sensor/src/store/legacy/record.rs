//! Records: a row of a table, as its cell holds it.

use super::source::u16_at;

/// How the database writes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL, or a value that lies behind what was read of a very long row.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// Text; what is no text in the encoding is replaced.
    Text(String),
    /// Bytes, which nobody here asks for.
    Blob,
}

/// A number of 1 to 9 bytes, and how many; `None` where it is cut off.
pub fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// The values of a record; `None` where the header makes no sense.
pub fn values(payload: &[u8], encoding: Encoding) -> Option<Vec<Value>> {
    let (header_len, mut at) = varint(payload)?;
    let header_len = usize::try_from(header_len).ok()?;
    let header = payload.get(..header_len)?;
    let mut body = header_len;
    let mut values = Vec::new();
    while at < header_len {
        let (kind, length) = varint(header.get(at..)?)?;
        at += length;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            longer => usize::try_from((longer - 12) / 2).ok()?,
        };
        let end = body.checked_add(length)?;
        values.push(match payload.get(body..end) {
            Some(bytes) => value(kind, bytes, encoding),
            None => Value::Null,
        });
        body = end;
    }
    Some(values)
}

fn value(kind: u64, bytes: &[u8], encoding: Encoding) -> Value {
    match kind {
        0 => Value::Null,
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        1..=6 => Value::Integer(integer(bytes)),
        7 => Value::Real(f64::from_be_bytes(bytes.try_into().unwrap_or_default())),
        _ if kind % 2 == 1 => Value::Text(text(bytes, encoding)),
        _ => Value::Blob,
    }
}

/// Two's complement, big end first, of 1 to 8 bytes.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|&byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    let add = |value: i64, &byte: &u8| value << 8 | i64::from(byte);
    bytes.iter().fold(start, add)
}

fn text(bytes: &[u8], encoding: Encoding) -> String {
    let units = (0..bytes.len() / 2).map(|index| {
        let unit = u16_at(bytes, index * 2).unwrap_or(0);
        match encoding {
            Encoding::Utf16Le => unit.swap_bytes(),
            _ => unit,
        }
    });
    match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        _ => char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    }
}
