//! Open files and names in directories.

use core::ptr;

use sensor_common::{
    event::OutputFile,
    field::{self, ABSENT},
};

use crate::read::{has, offset, pointer, read};

/// `S_IFMT` and `S_IFREG` of include/uapi/linux/stat.h.
pub const FILE_TYPE: u16 = 0o170_000;
pub const REGULAR: u16 = 0o100_000;

/// A `file`.
#[derive(Clone, Copy)]
pub struct File(*const u8);

impl File {
    /// Takes the address of one.
    pub fn new(file: *const u8) -> Self {
        Self(file)
    }

    /// Inode number and size; `None` where it is no regular file.
    #[inline(always)]
    pub fn regular(self) -> Option<OutputFile> {
        if self.0.is_null() || !has(field::FILE_INODE) || !has(field::INODE_MODE) {
            return None;
        }
        if !has(field::INODE_NUMBER) || !has(field::INODE_SIZE) {
            return None;
        }
        // SAFETY: `file` and `inode` are typed pointers and have the fields.
        unsafe {
            let inode = pointer(self.0, field::FILE_INODE);
            let mode: u16 = read(inode, field::INODE_MODE);
            (mode & FILE_TYPE == REGULAR).then_some(OutputFile {
                inode: read(inode, field::INODE_NUMBER),
                size: read(inode, field::INODE_SIZE),
            })
        }
    }

    /// Whether both are the same.
    #[inline(always)]
    pub fn is(self, other: Self) -> bool {
        self.0 == other.0
    }

    /// Its place in the directory tree.
    #[inline(always)]
    pub fn entry(self) -> Entry {
        // SAFETY: `file` is a typed pointer and has the field.
        Entry(unsafe { pointer(self.0, field::FILE_PATH_DENTRY) })
    }

    /// The root of the mount that it is on.
    #[inline(always)]
    pub fn mount_root(self) -> Entry {
        // SAFETY: as in `entry`; what it points to is a `vfsmount`.
        unsafe {
            let mount = pointer(self.0, field::FILE_PATH_MNT);
            Entry(pointer(mount, field::VFSMOUNT_ROOT))
        }
    }

    /// Address of the `vfsmount` that it is on.
    #[inline(always)]
    pub fn mount(self) -> u64 {
        // SAFETY: as in `entry`.
        unsafe { pointer(self.0, field::FILE_PATH_MNT) as u64 }
    }
}

/// Longest name that is taken without a call, bytes; with its NUL it fits
/// into a `dentry` of all kernels.
pub const SHORT: usize = 31;

/// A `dentry`: a name in a directory.
#[derive(Clone, Copy)]
pub struct Entry(*const u8);

impl Entry {
    /// The directory that it is in.
    #[inline(always)]
    pub fn parent(self) -> Self {
        // SAFETY: `dentry` is a typed pointer.
        Self(unsafe { pointer(self.0, field::DENTRY_PARENT) })
    }

    /// Address of its name.
    #[inline(always)]
    pub fn name(self) -> u64 {
        // SAFETY: as in `parent`.
        unsafe { read(self.0, field::DENTRY_NAME) }
    }

    /// Writes a name of at most `SHORT` bytes that lies in the `dentry`
    /// itself, as most do, without a call of a helper: whole words, the last
    /// one filled with NULs, of which there is one at least. Returns how many
    /// bytes these are; `None` where the name is longer.
    ///
    /// # Safety
    ///
    /// `to` must be aligned to 8 bytes, and have room for `SHORT + 9`.
    #[inline(always)]
    pub unsafe fn write_short(self, to: *mut u8) -> Option<usize> {
        let own = match offset(field::DENTRY_OWN_NAME) {
            // Before 6.15.
            ABSENT => offset(field::DENTRY_INAME),
            own => own,
        };
        if own == ABSENT || !has(field::DENTRY_NAME_LEN) {
            return None;
        }
        // SAFETY: as in `parent`, and 32 bytes of the name are there in every
        // kernel; the bytes that are written are those of the caller.
        unsafe {
            let from = self.0.add(own as usize);
            let len = read::<u32>(self.0, field::DENTRY_NAME_LEN) as usize;
            if len > SHORT || from as u64 != self.name() {
                return None;
            }
            for word in 0..4 {
                let value = ptr::read_volatile(from.cast::<u64>().add(word));
                ptr::write_volatile(to.cast::<u64>().add(word), value);
            }
            // What follows the name there is of nobody's.
            for nul in 0..8 {
                ptr::write_volatile(to.add(len + nul), 0);
            }
            Some((len / 8 + 1) * 8)
        }
    }

    /// Whether both are the same.
    #[inline(always)]
    pub fn is(self, other: Self) -> bool {
        self.0 == other.0
    }
}
