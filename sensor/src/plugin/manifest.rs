//! manifest.toml: what the files of a plugin were when its author shipped it.

use std::{
    collections::BTreeMap,
    fs::Permissions,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use toml_edit::{DocumentMut, Item, Table, TableLike, Value, value};

use super::files::{Facts, Odd, REMEDY, Sha, Tree};
use crate::{
    config::{
        Problem,
        file::{MAX_FILE_BYTES, is_there},
        problem::lines,
        reader::Document,
    },
    units::WallNanos,
};

/// Name of the file; it is not in itself.
pub const MANIFEST: &str = "manifest.toml";
/// What is written, and the only one that is read.
const SCHEMA_VERSION: i64 = 1;
/// A manifest that is no TOML is kept under this name and the time.
const INVALID: &str = "manifest.toml.invalid";

/// A manifest, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// By relative path.
    pub files: BTreeMap<String, Facts>,
}

/// Why there is no manifest to work with.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The directory cannot be read.
    #[error("{}: {}", .0.display(), directory_fault(.1))]
    Directory(PathBuf, #[source] io::Error),
    /// There is none.
    #[error("Manifest file not found: {}", .0.display())]
    NotFound(PathBuf),
    /// It says something else than it should; each with its place.
    #[error("{}", lines("Invalid manifest format: ", .0))]
    Invalid(Vec<Problem>),
    /// The directory holds what no manifest can vouch for.
    #[error("{}\n{REMEDY}", lines(&format!("{}/", .0.display()), .1))]
    Odd(PathBuf, Vec<Odd>),
    /// It cannot be written.
    #[error("{} cannot be written: {}", .0.display(), .1)]
    Write(PathBuf, #[source] io::Error),
}

/// What `write` did.
#[derive(Debug)]
pub struct Written {
    /// Where the manifest is.
    pub path: PathBuf,
    /// How many files are in it.
    pub files: usize,
    /// Where the one is that was there before and could not be read.
    pub invalid: Option<PathBuf>,
}

impl Manifest {
    /// Reads the bytes of `file`, whatever they are. Unknown tables and keys
    /// are somebody else's and passed over.
    ///
    /// # Errors
    /// Every problem, with its line.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(vec![Problem::file(file, "is not UTF-8 text")]);
        };
        let document = Document::parse(file, text);
        let mut root = document.root();
        // Named as it is now, so that a later one is refused, not misread.
        let _ = root
            .require("schema_version")
            .and_then(|item| item.integer(SCHEMA_VERSION..=SCHEMA_VERSION));
        for key in ["version", "generated"] {
            let _ = root.take(key).and_then(|item| item.string());
        }
        let mut files = BTreeMap::new();
        for (path, mut table) in root
            .require("files")
            .map(|item| item.tables())
            .unwrap_or_default()
        {
            let sha256 = table.require("sha256").and_then(|item| {
                let sha = Sha::from_hex(&item.string()?);
                if sha.is_none() {
                    item.fault("must be 64 hex digits".to_owned());
                }
                sha
            });
            let size = table
                .require("size")
                .and_then(|item| item.integer(0..=u64::MAX >> 1));
            let mode = table.require("mode").and_then(|item| {
                let mode = parse_mode(&item.string()?);
                if mode.is_none() {
                    item.fault("must be an octal mode such as \"0644\"".to_owned());
                }
                mode
            });
            if !is_below(&path) {
                table.fault("is no path of a file below the directory".to_owned());
            }
            if let (Some(sha256), Some(size), Some(mode)) = (sha256, size, mode) {
                files.insert(path, Facts { sha256, size, mode });
            }
        }
        let notes = document.into_notes();
        if notes.problems.is_empty() {
            Ok(Self { files })
        } else {
            Err(notes.problems)
        }
    }

    /// Reads the manifest of a directory.
    ///
    /// # Errors
    /// Where it is not there, or not valid.
    pub fn of(directory: &Path, tree: &Tree) -> Result<Self, ManifestError> {
        let path = directory.join(MANIFEST);
        let invalid = |message: String| ManifestError::Invalid(vec![Problem::file(&path, message)]);
        let Some(bytes) = bytes_of(tree, &path).map_err(invalid)? else {
            return Err(ManifestError::NotFound(path));
        };
        Self::parse(&path, &bytes).map_err(ManifestError::Invalid)
    }
}

/// Writes the manifest of a directory for the files that are there now. What
/// the old one said beyond them stays, in its place.
///
/// # Errors
/// Where something in the directory is no regular file, and where the
/// manifest cannot be written; the old one is untouched then.
pub fn write(
    directory: &Path,
    version: Option<&str>,
    now: WallNanos,
) -> Result<Written, ManifestError> {
    let path = directory.join(MANIFEST);
    let read =
        || Tree::read(directory).map_err(|e| ManifestError::Directory(directory.to_owned(), e));
    let mut tree = read()?;
    let old = match bytes_of(&tree, &path) {
        Ok(old) => old,
        Err(why) => {
            tree.odd.retain(|odd| odd.path != MANIFEST);
            let path = MANIFEST.to_owned();
            tree.odd.push(Odd { path, why });
            None
        }
    };
    if !tree.odd.is_empty() {
        return Err(ManifestError::Odd(directory.to_owned(), tree.odd));
    }
    let failed = |error| ManifestError::Write(path.clone(), error);
    let document = old.as_deref().and_then(editable);
    let mut invalid = None;
    if old.is_some() && document.is_none() {
        let kept = directory.join(format!("{INVALID}-{}", stamp(now)));
        std::fs::rename(&path, &kept).map_err(failed)?;
        invalid = Some(kept);
        tree = read()?;
    }
    let mut document = document.unwrap_or_default();
    tree.files.retain(|(file, _)| file != MANIFEST);
    update(&mut document, &tree.files, version, now);
    let text = document.to_string();
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(failed(io::Error::other("would be larger than 1 MiB")));
    }
    replace(&path, text.as_bytes()).map_err(failed)?;
    Ok(Written {
        path,
        files: tree.files.len(),
        invalid,
    })
}

/// Changes the modes that a manifest tells, and nothing else; for files that
/// were given other modes on purpose.
#[must_use]
pub fn with_modes(manifest: &[u8], mode: u32) -> Option<String> {
    let mut document = editable(manifest)?;
    let files = document.get_mut("files")?.as_table_like_mut()?;
    for (_, file) in files.iter_mut() {
        set(
            file.as_table_like_mut()?,
            "mode",
            format!("{mode:04o}").into(),
        );
    }
    Some(document.to_string())
}

/// What `write` makes of an old manifest for a directory without files: always
/// a valid one.
#[must_use]
pub fn rewritten(old: &[u8]) -> String {
    let mut document = editable(old).unwrap_or_default();
    update(&mut document, &[], None, WallNanos(0));
    document.to_string()
}

/// A moment as part of a file's name: `20260102T030405000000006Z`.
#[must_use]
pub fn stamp(now: WallNanos) -> String {
    let text = now.to_string();
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Puts a file in its place whole or not at all, with mode 0644.
///
/// # Errors
/// Of the file system; the old file is untouched then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// The bytes of a tree's manifest; `None` where there is none. A link is not
/// followed: it may lead out of the directory.
fn bytes_of(tree: &Tree, path: &Path) -> Result<Option<Vec<u8>>, String> {
    if let Some(odd) = tree.odd.iter().find(|odd| odd.path == MANIFEST) {
        return Err(odd.why.clone());
    }
    match tree.files.iter().find(|(file, _)| file == MANIFEST) {
        None if is_there(path) => return Err("is not a regular file".to_owned()),
        None => return Ok(None),
        Some((_, facts)) if facts.size > MAX_FILE_BYTES => {
            return Err("is larger than 1 MiB".to_owned());
        }
        Some(_) => {}
    }
    let mut bytes = Vec::new();
    tree.open(MANIFEST)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    Ok(Some(bytes))
}

/// The text with its comments and order, where it is TOML. The reader looks
/// first: it is the one that bounds the depth.
fn editable(bytes: &[u8]) -> Option<DocumentMut> {
    let text = std::str::from_utf8(bytes).ok()?;
    if Document::parse(Path::new(MANIFEST), text).is_incomplete() {
        return None;
    }
    text.parse().ok()
}

fn update(
    document: &mut DocumentMut,
    files: &[(String, Facts)],
    version: Option<&str>,
    now: WallNanos,
) {
    let root = document.as_table_mut();
    if version.is_some() || !root.get("version").is_some_and(Item::is_str) {
        set(root, "version", version.unwrap_or("unknown").into());
    }
    set(root, "schema_version", SCHEMA_VERSION.into());
    set(root, "generated", now.to_string().into());
    if !root.get("files").is_some_and(Item::is_table_like) {
        let mut table = Table::new();
        table.set_implicit(!files.is_empty());
        root.insert("files", Item::Table(table));
    }
    if files.is_empty()
        && let Some(known) = root.get_mut("files").and_then(Item::as_table_mut)
    {
        // A table that only its members tell of would vanish with them.
        known.set_implicit(false);
        known.set_dotted(false);
    }
    let Some(known) = root.get_mut("files").and_then(Item::as_table_like_mut) else {
        return;
    };
    let gone: Vec<String> = known
        .iter()
        .map(|(path, _)| path.to_owned())
        .filter(|path| files.binary_search_by(|(file, _)| file.cmp(path)).is_err())
        .collect();
    for path in gone {
        known.remove(&path);
    }
    for (path, facts) in files {
        if !known.get(path).is_some_and(Item::is_table_like) {
            known.insert(path, Item::Table(Table::new()));
        }
        if let Some(file) = known.get_mut(path).and_then(Item::as_table_like_mut) {
            set(file, "sha256", facts.sha256.to_string().into());
            set(
                file,
                "size",
                i64::try_from(facts.size).unwrap_or(i64::MAX).into(),
            );
            set(file, "mode", format!("{:04o}", facts.mode).into());
        }
    }
}

/// Sets a value and leaves the comment behind it.
fn set(table: &mut dyn TableLike, key: &str, new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(new));
        }
    }
}

fn parse_mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    // from_str_radix takes a sign, too.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(digits, 8).ok().filter(|_| plain)?;
    (mode <= 0o7777).then_some(mode)
}

/// Whether a path names a file below the directory and is not the manifest.
fn is_below(path: &str) -> bool {
    path != MANIFEST && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn directory_fault(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "is not a directory".to_owned(),
        io::ErrorKind::FileTooLarge => error.to_string(),
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
