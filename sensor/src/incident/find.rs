//! Searches in short texts. `str` prepares a table for each search, which
//! costs more than to look for one letter and compare.

use memchr::{memchr_iter, memrchr_iter};

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
}

impl Find for str {
    fn place(&self, part: &str) -> Option<usize> {
        let (letter, at) = rare(part)?;
        let bytes = self.as_bytes();
        memchr_iter(letter, bytes)
            .filter_map(|found| found.checked_sub(at))
            .find(|start| is_at(bytes, *start, part))
    }

    fn has(&self, part: &str) -> bool {
        self.place(part).is_some()
    }

    fn cut(&self, part: &str) -> Option<(&str, &str)> {
        around(self, self.place(part)?, part)
    }

    fn rcut(&self, part: &str) -> Option<(&str, &str)> {
        let (letter, at) = rare(part)?;
        let bytes = self.as_bytes();
        let start = memrchr_iter(letter, bytes)
            .filter_map(|found| found.checked_sub(at))
            .find(|start| is_at(bytes, *start, part))?;
        around(self, start, part)
    }
}

/// The first byte of a part that is no blank, which texts are full of.
fn rare(part: &str) -> Option<(u8, usize)> {
    let bytes = part.as_bytes();
    let at = bytes.iter().position(|byte| *byte != b' ').unwrap_or(0);
    Some((*bytes.get(at)?, at))
}

fn is_at(text: &[u8], start: usize, part: &str) -> bool {
    text.get(start..)
        .is_some_and(|rest| rest.starts_with(part.as_bytes()))
}

fn around<'a>(text: &'a str, start: usize, part: &str) -> Option<(&'a str, &'a str)> {
    Some((text.get(..start)?, text.get(start + part.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::Find;

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
}
