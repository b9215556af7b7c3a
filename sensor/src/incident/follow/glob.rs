//! Paths with `*` and `?`, which stand for characters within one name.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

/// Calls `found` for every path that fits, `limit` times at most, in the order
/// of names. A pattern without wildcards fits itself, whether it is there or
/// not: the file may come.
pub fn expand(pattern: &str, limit: usize, found: &mut dyn FnMut(PathBuf)) {
    let mut places = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?']) {
            for place in &mut places {
                place.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for place in places {
            let Ok(entries) = fs::read_dir(&place) else {
                continue;
            };
            let names = entries.flatten().map(|entry| entry.file_name());
            let mut names: Vec<_> = names
                .filter(|name| fits(part.as_bytes(), name.as_bytes()))
                // As in a shell.
                .filter(|name| part.starts_with('.') || !is_hidden(name))
                .collect();
            names.sort_unstable();
            next.extend(names.into_iter().map(|name| place.join(name)));
            if next.len() >= limit {
                break;
            }
        }
        places = next;
    }
    places.into_iter().take(limit).for_each(found);
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

/// Whether a name fits a pattern, in time linear in both but for the stars.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((position, from)) = star else {
                    return false;
                };
                star = Some((position, from + 1));
                at = position + 1;
                in_name = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_within_a_name() {
        for (pattern, name, is) in [
            ("*.log", "app.log", true),
            ("*.log", "app.log.1", false),
            ("app-?.log", "app-1.log", true),
            ("app-?.log", "app-12.log", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "aab", true),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                is,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn a_pattern_finds_files_and_a_name_itself() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a/x.log", "b/x.log", "b/.y.log", "b/z.txt"] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let list = |pattern: &str| {
            let mut found = Vec::new();
            let pattern = format!("{}/{pattern}", directory.path().display());
            expand(&pattern, 100, &mut |path| {
                let path = path.strip_prefix(directory.path()).unwrap();
                found.push(path.display().to_string());
            });
            found
        };
        assert_eq!(list("*/*.log"), ["a/x.log", "b/x.log"]);
        assert_eq!(list("none/yet.log"), ["none/yet.log"]);
        assert!(list("none/*.log").is_empty());
    }
}
