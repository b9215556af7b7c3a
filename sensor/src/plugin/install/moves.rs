//! Renames that can be taken back.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use crate::config::file::is_there;

/// What was renamed so far.
#[derive(Debug, Default)]
pub struct Moves(Vec<(PathBuf, PathBuf, bool)>);

impl Moves {
    /// Puts `new` in the place of `target`. What is there goes to `backup`,
    /// where `force` permits it; readers of `target` never find it missing
    /// where the file system can exchange two names. Tells whether there was
    /// something.
    ///
    /// # Errors
    /// Of the file system, or because something is in the way.
    pub fn put(
        &mut self,
        new: &Path,
        target: &Path,
        backup: &Path,
        force: bool,
    ) -> io::Result<bool> {
        if !force || !is_there(target) {
            self.rename(new, target)?;
            return Ok(false);
        }
        match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
            Ok(()) => {
                self.0.push((new.to_owned(), target.to_owned(), true));
                self.rename(new, backup)?;
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.rename(target, backup)?;
                self.rename(new, target)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Renames to a name that nothing has.
    ///
    /// # Errors
    /// Of the file system, or because something is in the way.
    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        rename_new(from, to)?;
        self.0.push((from.to_owned(), to.to_owned(), false));
        Ok(())
    }

    /// Takes everything back, the last first.
    ///
    /// # Errors
    /// A line for each thing that is still not where it was.
    pub fn undo(self) -> Result<(), Vec<String>> {
        let mut left = Vec::new();
        for (from, to, exchanged) in self.0.into_iter().rev() {
            let done = if exchanged {
                renameat_with(CWD, &to, CWD, &from, RenameFlags::EXCHANGE).map_err(io::Error::from)
            } else {
                rename_new(&to, &from)
            };
            if let Err(error) = done {
                left.push(format!(
                    "{} could not be moved back to {}: {error}",
                    to.display(),
                    from.display()
                ));
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left) }
    }
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system without the flag: look first.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !is_there(to) => {
            std::fs::rename(from, to)
        }
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn everything_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let text = |name: &str| fs::read_to_string(at(name)).unwrap();
        fs::write(at("old"), "old").unwrap();
        fs::write(at("new"), "new").unwrap();
        fs::write(at("other"), "other").unwrap();
        let mut moves = Moves::default();
        assert!(
            moves
                .put(&at("new"), &at("old"), &at("backup"), true)
                .unwrap()
        );
        assert!(
            !moves
                .put(&at("other"), &at("place"), &at("none"), true)
                .unwrap()
        );
        assert_eq!(
            (text("old"), text("backup"), text("place")),
            ("new".into(), "old".into(), "other".into())
        );
        // Nothing is replaced that is not moved away first.
        assert!(
            moves
                .put(&at("place"), &at("old"), &at("b"), false)
                .is_err()
        );
        moves.undo().unwrap();
        assert_eq!(
            (text("old"), text("new"), text("other")),
            ("old".into(), "new".into(), "other".into())
        );
        assert!(!at("backup").exists() && !at("place").exists());
    }

    #[test]
    fn what_cannot_be_taken_back_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("a"), "").unwrap();
        let mut moves = Moves::default();
        moves.rename(&at("a"), &at("b")).unwrap();
        fs::write(at("a"), "in the way").unwrap();
        let left = moves.undo().unwrap_err();
        assert!(left[0].contains("could not be moved back"), "{left:?}");
        assert!(at("b").exists());
    }
}
