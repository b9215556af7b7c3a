//! Going on after a fault of the disk, or after somebody took the file away.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
};

use redb::backends::FileBackend;

use super::{
    Owner, Store, StoreError,
    guard::close,
    open::{Fault, open_again},
    place,
};

impl Store {
    /// Makes sure that what is written has the store's name: a file that was
    /// deleted can be written for ever, and nobody would find it again. One
    /// that lost its name, or its whole directory, is put there once more.
    ///
    /// # Errors
    ///
    /// What is still wrong; reading goes on where it can.
    pub fn ensure_in_place(&mut self) -> Result<(), StoreError> {
        if self.is_in_place()? {
            // Given back when the file was away, which may have come back.
            if self.file.is_some() && self.owner.is_none() {
                self.owner = Some(Owner::take(&self.path)?);
            }
            return match self.database {
                Some(_) => Ok(()),
                None => self.reopen(),
            };
        }
        // Where the directory is a new one, its lock is not ours.
        self.owner = None;
        place::prepare(&self.path)?;
        self.owner = Some(Owner::take(&self.path)?);
        close(self.database.take());
        let moved = self.write_again();
        self.reopen()?;
        moved.map_err(|source| self.fault(source))?;
        tracing::warn!(
            "the store {} was removed; it was written again",
            self.path.display()
        );
        Ok(())
    }

    /// Opens the file again: redb is of no more use after an error of the
    /// disk.
    ///
    /// # Errors
    ///
    /// What is still wrong.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        close(self.database.take());
        let Some(file) = &self.file else {
            return Ok(());
        };
        // The same open file: no permission is asked for again.
        let file = file.try_clone().map_err(|source| self.fault(source))?;
        let backend = FileBackend::new(file).map_err(redb::Error::from)?;
        let opened = open_again(backend, &self.path);
        self.database = Some(opened.map_err(|fault: Fault| fault.into_error(&self.path))?);
        Ok(())
    }

    fn is_in_place(&self) -> Result<bool, StoreError> {
        let Some(file) = &self.file else {
            return Ok(true);
        };
        let ours = file.metadata().map_err(|source| self.fault(source))?;
        match fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (ours.dev(), ours.ino()) => Ok(true),
            Ok(_) => Err(StoreError::Unsafe {
                path: self.path.clone(),
                reason: "is another file than the one that was opened".to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.fault(source)),
        }
    }

    /// Writes the file, which has no name any more, to where it was.
    fn write_again(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let unborn = place::beside(&self.path, ".new");
        let written = place::copy_file(file, &unborn)
            .and_then(|()| place::give_name(&unborn, &self.path))
            .and_then(|()| place::open(&self.path));
        match written {
            Ok(new) => {
                *file = new;
                Ok(())
            }
            Err(error) => {
                // It is of no use, and may be what fills the disk.
                let _ = fs::remove_file(&unborn);
                Err(error)
            }
        }
    }

    fn fault(&self, source: io::Error) -> StoreError {
        StoreError::Open {
            path: self.path.clone(),
            source,
        }
    }

    /// The file as it will be found again; opened beside redb's.
    pub(super) fn hold(&self) -> Result<Option<File>, StoreError> {
        let file = place::open(&self.path).map_err(|source| self.fault(source))?;
        Ok(Some(file))
    }
}
