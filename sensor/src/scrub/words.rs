//! Which names announce a secret.
//!
//! A name is folded to its lower-case letters and the places where its parts
//! begin. A word hits where it fills whole parts, so `accessToken`,
//! `ACCESS_TOKEN` and `access-token` are one, and `tokenizer` is none.

/// Names of the built-in list, with `_` wherever people put a separator.
///
/// The union of what Datadog's agent and Sentry's SDKs mask, and the spellings
/// without a separator that a boundary cannot find.
const WORDS: &[&str] = &[
    "pass_word",
    "passwd",
    "pwd",
    "old_pwd",
    "mysql_pwd",
    "pg_password",
    "db_password",
    "db_passwd",
    "db_pass",
    "db_pw",
    "user_pass",
    "smtp_pass",
    "mail_pass",
    "key_pass",
    "store_pass",
    "require_pass",
    "root_password",
    "admin_password",
    "user_password",
    "new_password",
    "passphrase",
    "pass_phrase",
    "passcode",
    "secret",
    "client_secret",
    "secret_key",
    "secret_access_key",
    "token",
    "access_token",
    "auth_token",
    "refresh_token",
    "csrf_token",
    "stripe_token",
    "oauth2_bearer",
    "api_key",
    "app_key",
    "application_key",
    "account_key",
    "shared_access_key",
    "access_key",
    "private_key",
    "encryption_key",
    "signing_key",
    "amz_signature",
    "goog_signature",
    "credential",
    "credentials",
    "session",
    "session_id",
    "php_sess_id",
    "j_session_id",
];

/// Words that are too common inside other names: the name must be just this.
const WHOLE_NAMES: &[&str] = &["auth", "pass", "pw", "csrf", "xsrf", "bearer"];

/// What follows a word and says that the value is no secret, but about one.
const HARMLESS: &[&[u8]] = &[
    b"file",
    b"filename",
    b"path",
    b"stdin",
    b"name",
    b"count",
    b"length",
    b"type",
    // Not in everyone's list, but as plain: settings, and names of errors,
    // whose message follows after a colon.
    b"dir",
    b"mode",
    b"size",
    b"timeout",
    b"ttl",
    b"error",
    b"exception",
];

/// Longest name that is looked at, in bytes; of a longer one, its end.
pub(super) const NAME_MAX: usize = 128;

/// How the value behind a name is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value.
    Plain,
    /// A scheme and its credential.
    Authorization,
    /// Pairs with `;` between them.
    Cookie,
    /// `PWD` and `OLDPWD`: a directory, or else a password.
    Directory,
    /// A word that hits only alone, and never as a heading (`auth: done`).
    WholeName,
}

/// A name that announces a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) kind: Kind,
    /// Whether the word is the end of the name, as in `db.password`.
    pub(super) at_end: bool,
}

/// The word list of one scrubber.
#[derive(Debug)]
pub(super) struct Words {
    /// Folded; the first letter sorts out most of them.
    words: Vec<(Vec<u8>, Kind)>,
    keep: Vec<Vec<u8>>,
    anchors: Vec<Vec<u8>>,
    /// Whether names may hold bytes beyond ASCII: only if a word does.
    wide: bool,
}

impl Words {
    /// The built-in list with `more` and without `keep`.
    ///
    /// Fails with the word that holds no letter.
    pub(super) fn new(more: &[String], keep: &[String]) -> Result<Self, String> {
        let special = [
            ("authorization", Kind::Authorization),
            ("cookie", Kind::Cookie),
            ("set_cookie", Kind::Cookie),
        ];
        let listed = WORDS.iter().map(|word| (*word, Kind::Plain));
        let whole = WHOLE_NAMES.iter().map(|word| (*word, Kind::WholeName));
        let custom = more.iter().map(|word| (word.as_str(), Kind::Plain));
        let all: Vec<_> = special
            .into_iter()
            .chain(whole)
            .chain(listed)
            .chain(custom)
            .collect();

        let mut keep_letters = Vec::with_capacity(keep.len());
        for word in keep {
            keep_letters.push(letters(word).ok_or_else(|| word.clone())?);
        }
        let mut words = Vec::with_capacity(all.len());
        let mut anchors: Vec<Vec<u8>> = Vec::new();
        for (word, kind) in all {
            let folded = letters(word).ok_or_else(|| word.to_owned())?;
            if keep_letters.contains(&folded) {
                continue;
            }
            add_anchor(&mut anchors, word);
            words.push((folded, kind));
        }
        let wide = words.iter().any(|(word, _)| !word.is_ascii());
        Ok(Self {
            words,
            keep: keep_letters,
            anchors,
            wide,
        })
    }

    /// Strings one of which, in any case, is in every name that can hit.
    pub(super) fn anchors(&self) -> &[Vec<u8>] {
        &self.anchors
    }

    /// Whether a byte can be part of a name.
    pub(super) fn is_name(&self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || is_separator(byte) || (self.wide && byte >= 0x80)
    }

    /// The end of the name that starts at `at`.
    pub(super) fn name_end(&self, line: &[u8], at: usize) -> usize {
        let rest = line.get(at..).unwrap_or_default();
        at + rest
            .iter()
            .position(|byte| !self.is_name(*byte))
            .unwrap_or(rest.len())
    }

    /// Whether a name announces a secret. A blank counts as a separator.
    pub(super) fn hit(&self, name: &[u8]) -> Option<Hit> {
        let folded = Folded::new(&name[name.len().saturating_sub(NAME_MAX)..]);
        if folded.ends_harmless() {
            return None;
        }
        let mut found = None;
        for at in (0..folded.len).filter(|at| folded.starts[*at]) {
            if folded.follows_no(at) {
                continue;
            }
            if let Some((end, kind)) = self.longest_at(&folded, at)
                && !self.is_kept(&folded, at, end)
                && !folded.harmless_at(end)
            {
                found = Some(Hit {
                    kind,
                    at_end: end == folded.len,
                });
            }
        }
        if let Some(hit) = &mut found
            && (name == b"PWD" || name == b"OLDPWD")
        {
            hit.kind = Kind::Directory;
        }
        found
    }

    fn longest_at(&self, folded: &Folded, at: usize) -> Option<(usize, Kind)> {
        let rest = &folded.letters[at..folded.len];
        self.words
            .iter()
            .filter(|(word, kind)| {
                word[0] == rest[0]
                    && rest.starts_with(word)
                    && folded.starts[at + word.len()]
                    && (*kind != Kind::WholeName || (at == 0 && word.len() == folded.len))
            })
            .map(|(word, kind)| (at + word.len(), *kind))
            .max_by_key(|(end, _)| *end)
    }

    /// Whether a harmless word covers these letters: `session_token` is kept
    /// as a whole though `token` hits.
    fn is_kept(&self, folded: &Folded, start: usize, end: usize) -> bool {
        self.keep.iter().any(|keep| {
            (0..=start).any(|at| {
                folded.starts[at]
                    && at + keep.len() >= end
                    && folded.letters[at..folded.len].starts_with(keep)
                    && folded.starts[at + keep.len()]
            })
        })
    }
}

/// A name without its separators.
struct Folded {
    letters: [u8; NAME_MAX],
    /// Where a part begins; the end counts as one.
    starts: [bool; NAME_MAX + 1],
    len: usize,
}

impl Folded {
    fn new(name: &[u8]) -> Self {
        let mut folded = Self {
            letters: [0; NAME_MAX],
            starts: [false; NAME_MAX + 1],
            len: 0,
        };
        let mut before = b'_';
        for (at, &byte) in name.iter().enumerate().take(NAME_MAX) {
            if !is_separator(byte) && byte != b' ' {
                let after = name.get(at + 1).copied().unwrap_or(b'_');
                folded.letters[folded.len] = byte.to_ascii_lowercase();
                folded.starts[folded.len] = begins_part(before, byte, after);
                folded.len += 1;
            }
            before = byte;
        }
        folded.starts[folded.len] = true;
        folded
    }

    fn part_at(&self, at: usize) -> &[u8] {
        let length = self.starts[at + 1..=self.len]
            .iter()
            .position(|start| *start)
            .map_or(self.len - at, |length| length + 1);
        &self.letters[at..at + length]
    }

    fn harmless_at(&self, at: usize) -> bool {
        at < self.len && HARMLESS.contains(&self.part_at(at))
    }

    /// `secret_private_key_file`: what the name is of comes last.
    fn ends_harmless(&self) -> bool {
        (0..self.len)
            .rev()
            .find(|at| self.starts[*at])
            .is_some_and(|at| self.harmless_at(at))
    }

    fn follows_no(&self, at: usize) -> bool {
        at >= 2 && self.starts[at - 2] && !self.starts[at - 1] && &self.letters[at - 2..at] == b"no"
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.')
}

fn begins_part(before: u8, byte: u8, after: u8) -> bool {
    is_separator(before)
        || before == b' '
        || (before.is_ascii_lowercase() && byte.is_ascii_uppercase())
        // The last capital of an acronym starts the next part: `DBPassword`.
        || (before.is_ascii_uppercase() && byte.is_ascii_uppercase() && after.is_ascii_lowercase())
        || before.is_ascii_digit() != byte.is_ascii_digit()
}

fn letters(word: &str) -> Option<Vec<u8>> {
    let lower = word.to_lowercase();
    let letters: Vec<u8> = lower
        .bytes()
        .filter(|byte| !is_separator(*byte) && !byte.is_ascii_whitespace())
        .collect();
    (!letters.is_empty() && letters.len() <= NAME_MAX).then_some(letters)
}

/// Adds the start of a word's longest part, short enough that a separator
/// that the list doesn't know falls behind it, unless the word is covered.
fn add_anchor(anchors: &mut Vec<Vec<u8>>, word: &str) {
    let lower = word.to_lowercase();
    let parts = || {
        lower
            .split(|c: char| c.is_whitespace() || "_-.".contains(c))
            .map(str::as_bytes)
    };
    let covered = parts().any(|part| {
        anchors
            .iter()
            .any(|anchor| part.windows(anchor.len()).any(|window| window == anchor))
    });
    if !covered && let Some(longest) = parts().max_by_key(|part| part.len()) {
        anchors.push(longest[..longest.len().min(4)].to_vec());
    }
}
