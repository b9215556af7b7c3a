//! Secrets that show by their own shape: key formats, URLs, PEM blocks.

use std::ops::Range;

use regex::bytes::Regex;

use super::value::is_boundary;

/// What key formats start with, in any case; [`Shapes`] looks closer.
pub(super) const KEY_ANCHORS: &[&str] = &[
    "akia",
    "asia",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa",
    "xoxb",
    "xoxe",
    "xoxo",
    "xoxp",
    "xoxr",
    "xoxs",
    "xapp-",
    "eyj",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "sk-",
    "aiza",
    "ya29.",
    "sg.",
    "npm_",
    "pypi-",
    "hvs.",
    "dop_v1_",
    "shpat_",
    "whsec_",
    "age-secret-key-",
    "sig=",
    "hooks.slack.com/",
    "oracle:thin:",
    "pdo->__construct(",
    "mysqli",
    "ldap_bind(",
    "ftp_login(",
];

/// Before the user of a URL; JSON of some writers escapes the slashes.
pub(super) const URL_ANCHORS: &[&str] = &["://", ":\\/\\/"];

/// Before a credential in prose.
pub(super) const SCHEME_ANCHORS: &[&str] = &["bearer", "basic"];

/// Before a PEM block.
pub(super) const PEM_ANCHORS: &[&str] = &["-----begin", "---- begin"];

/// From here on a Bearer or Basic credential is no word of prose, in bytes.
const CREDENTIAL_MIN: usize = 16;

const KEYS: &str = r"(?x-u)^(?:
    A[KS]IA[0-9A-Z]{16} \b
  | gh[pousr]_[0-9A-Za-z]{16,} | github_pat_[0-9A-Za-z_]{16,} | glpat-[0-9A-Za-z_-]{16,}
  | xox[abeoprs](?:-[0-9A-Za-z]+)+ | xapp-[0-9A-Za-z-]{16,}
  | eyJ[0-9A-Za-z_-]{6,} (?:\.[0-9A-Za-z_-]{4,}) (?:\.[0-9A-Za-z_-]*){0,3}
  | [sr]k_(?:live|test)_[0-9A-Za-z]{16,} | sk-[0-9A-Za-z_-]{20,}
  | AIza[0-9A-Za-z_-]{35} | ya29\.[0-9A-Za-z_-]{16,}
  | SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,} | npm_[0-9A-Za-z]{30,}
  | pypi-[0-9A-Za-z_-]{50,} | hvs\.[0-9A-Za-z_-]{20,}
  | dop_v1_[0-9a-f]{40,} | shpat_[0-9a-fA-F]{32}
  | whsec_[0-9A-Za-z]{16,} | AGE-SECRET-KEY-[0-9A-Z]{20,}
  # Of a signed URL, where a number of a signal is shorter.
  | sig=([0-9A-Za-z%+/_-]{16,256}=*)
  | hooks\.slack\.com/(?:services|workflows)/([0-9A-Za-z/]{1,128})
  # Oracle: `jdbc:oracle:thin:user/password@host`.
  | oracle:thin:[^\s/@:]{1,64}/([^\s@]{1,128})@
  # PHP shows the arguments of what it called: host, user, password.
  | (?:PDO->__construct\(|mysqli(?:_real_connect\(Object\([^)]{1,64}\),\x20
     |(?:_connect|->__construct|->real_connect)?\()|ldap_bind\(|ftp_login\()
    (?:'[^']{0,128}'|NULL|[A-Z][a-z]{1,16}[^',)]{0,64}\)?),\x20'[^']{0,64}',\x20'([^']{1,64})'
)";

/// The compiled shapes.
#[derive(Debug)]
pub(super) struct Shapes {
    key: Regex,
    url: Regex,
    url_with_slash: Regex,
    url_token: Regex,
    port: Regex,
    credential: Regex,
    after_authorization: Regex,
    hex: Regex,
    pub(super) pem: Pem,
}

impl Shapes {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            key: Regex::new(KEYS)?,
            url: Regex::new(r#"(?-u)^:(?:\\?/){2}[^\s/\\:"'<>]*:([^\s/"'<>]*)@"#)?,
            // Bounded, as a line may be full of these. People forget to escape; in
            // paths an `@` is usual.
            url_with_slash: Regex::new(
                r#"(?-u)^:(?:\\?/){2}[^\s/\\:"'<>]{0,64}:([^\s"'<>]{1,128})@"#,
            )?,
            // No name of a user is so long.
            url_token: Regex::new(r"(?-u)^:(?:\\?/){2}([0-9A-Za-z_-]{20,256})@")?,
            // A port and what may come behind it, where the `@` is not the user's.
            port: Regex::new(r"(?-u)^[0-9]{1,5}[/?#,;&|]")?,
            credential: Regex::new(r"(?-u)^[ \t]+([0-9A-Za-z._~+/-]+=*|\*{8})")?,
            after_authorization: Regex::new(r"(?i-u)authorization[^0-9a-z]{1,12}$")?,
            hex: Regex::new(
                r#"(?i-u)^[ \t]+(?:(?:is|was|of|from)[ \t]+)?[("'`]?([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b"#,
            )?,
            pem: Pem::new()?,
        })
    }

    /// A key whose format starts at `at`, or the secret that has its place
    /// in what starts there.
    pub(super) fn key(&self, line: &[u8], at: usize) -> Option<Range<usize>> {
        let groups = is_boundary(line, at).then(|| self.key.captures(&line[at..]))??;
        let found = groups.iter().skip(1).flatten().next().or(groups.get(0))?;
        Some(at + found.start()..at + found.end())
    }

    /// The password of the URL whose `://` is at `at`.
    pub(super) fn url_password(&self, line: &[u8], at: usize) -> Option<Range<usize>> {
        let (before, url) = line.split_at(at);
        let has_path = [b"http".as_slice(), b"https", b"file", b"s3", b"npm"]
            .iter()
            .any(|scheme| before.ends_with(scheme));
        let password = [&self.url, &self.url_token, &self.url_with_slash]
            .into_iter()
            .take(if has_path { 2 } else { 3 })
            .find_map(|form| form.captures(url))?
            .get(1)?;
        let found = before.last().is_some_and(u8::is_ascii_alphanumeric)
            && !password.is_empty()
            && !self.port.is_match(password.as_bytes());
        found.then(|| at + password.start()..at + password.end())
    }

    /// The credential behind `Bearer` or `Basic`, which lies at `scheme`.
    pub(super) fn credential(&self, line: &[u8], scheme: Range<usize>) -> Option<Range<usize>> {
        if !is_boundary(line, scheme.start) {
            return None;
        }
        let found = self.credential.captures(&line[scheme.end..])?.get(1)?;
        let near = &line[scheme.start.saturating_sub(32)..scheme.start];
        let long = found.len() >= CREDENTIAL_MIN;
        (long || self.after_authorization.is_match(near))
            .then(|| scheme.end + found.start()..scheme.end + found.end())
    }

    /// Whether an argument behind `Bearer` or `Basic` is a credential.
    pub(super) fn is_credential(&self, argument: &[u8]) -> bool {
        argument.len() >= CREDENTIAL_MIN && !argument.iter().any(u8::is_ascii_whitespace)
    }

    /// A bare hash behind a hinting word that ends at `at`.
    pub(super) fn hex(&self, line: &[u8], at: usize) -> Option<Range<usize>> {
        let found = self.hex.captures(&line[at..])?.get(1)?;
        Some(at + found.start()..at + found.end())
    }

    /// Whether an argument behind a hinting word is a bare hash.
    pub(super) fn is_hex(&self, argument: &[u8]) -> bool {
        matches!(argument.len(), 32 | 40 | 64) && argument.iter().all(u8::is_ascii_hexdigit)
    }
}

/// Finds PEM blocks, which reach over lines.
#[derive(Debug)]
pub(super) struct Pem {
    begin: Regex,
    end: Regex,
    token: Regex,
    run: Regex,
    padded: Regex,
    header: Regex,
}

/// Lines a block may have: the end of a torn one never comes.
const PEM_LINES: u32 = 512;

impl Pem {
    fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            begin: Regex::new(r"(?-u)-{4,5} ?BEGIN [0-9A-Z ]+ ?-{4,5}")?,
            end: Regex::new(r"(?-u)-{4,5} ?END [0-9A-Z ]+ ?-{4,5}")?,
            token: Regex::new(r#"(?-u)^\s*([^\s{}:*]+|\*{8})\s*$"#)?,
            run: Regex::new(r"(?-u)[0-9A-Za-z+/]{32,}={0,2}")?,
            padded: Regex::new(r"(?-u)\s([0-9A-Za-z+/]+={1,2})\s*$")?,
            header: Regex::new(
                r"(?-u)^\s*(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|Subject|MessageID): ",
            )?,
        })
    }

    /// Collects what belongs to a block. `left` is how many more lines an
    /// open block may have; returned is the same for the next line.
    pub(super) fn scan(&self, line: &[u8], left: u32, found: &mut Vec<Range<usize>>) -> u32 {
        let mut left = left;
        let mut at = 0;
        if left > 0 {
            let end = self.end.find(line);
            let body = &line[..end.map_or(line.len(), |end| end.start())];
            let is_body = self.body(body, found);
            at = end.map_or(0, |end| end.end());
            left = if is_body && end.is_none() {
                left - 1
            } else {
                0
            };
        }
        let mut torn = false;
        while let Some(begin) = self.begin.find(&line[at..]) {
            let start = at + begin.end();
            at = start;
            // Without an end for one, there is none for those behind it.
            let end = (!torn).then(|| self.end.find(&line[start..])).flatten();
            if let Some(end) = end {
                if end.start() > 0 {
                    found.push(start..start + end.start());
                }
                at += end.end();
            } else {
                torn = true;
                found.extend(torn_body(line, start));
            }
        }
        if torn { PEM_LINES } else { left }
    }

    /// Whether a line can be a block's; its secret part is collected.
    fn body(&self, line: &[u8], found: &mut Vec<Range<usize>>) -> bool {
        if line.iter().all(u8::is_ascii_whitespace) || self.header.is_match(line) {
            return true;
        }
        let whole = self.token.captures(line).and_then(|token| token.get(1));
        if let Some(token) = whole {
            found.push(token.range());
            return true;
        }
        // Behind the time and the name that a logger puts in front.
        let before = found.len();
        found.extend(self.run.find_iter(line).map(|run| run.range()));
        if let Some(padded) = self.padded.captures(line).and_then(|end| end.get(1)) {
            found.push(padded.range());
        }
        found.len() > before
    }
}

/// The rest of a line behind a `BEGIN` without an `END`: the body if it reads
/// like one, not the sentence that names the marker.
fn torn_body(line: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &line[at..];
    let lead = rest
        .iter()
        .take_while(|byte| b" \t\\nr".contains(byte))
        .count();
    let body = rest[lead..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
        .count();
    (body >= 8).then(|| at + lead..line.len())
}
