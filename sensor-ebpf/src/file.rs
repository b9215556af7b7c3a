//! Open files and names in directories.

use sensor_common::{event::OutputFile, field};

use crate::read::{has, pointer, read};

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

    /// Whether both are the same.
    #[inline(always)]
    pub fn is(self, other: Self) -> bool {
        self.0 == other.0
    }
}
