//! Reads the BPF ring buffer through a small window.
//!
//! Every mapped page of a ring counts as resident memory of the reader, and
//! the usual reader maps the data twice: 16 MiB for a ring of 8. This one maps
//! a window of it and moves that along, one mmap(2) for every
//! [`WINDOW`] bytes of records.
//!
//! The layout is that of kernel/bpf/ringbuf.c: a page with the consumer's
//! position, a page with the producer's, then the data, twice in a row, so
//! that a record that wraps is contiguous. A record is a header of 8 bytes
//! (length and two flags, then an offset) and its bytes, rounded up to 8.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes of records that are mapped at once.
const WINDOW: usize = 256 << 10;
/// What the window has beyond that: room for the longest record.
const SLACK: usize = 16 << 10;
/// Length, flags and offset before each record (`BPF_RINGBUF_HDR_SZ`).
const HEAD: usize = 8;
/// The producer is still writing (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// The producer gave the record up (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARDED: u32 = 1 << 30;

/// The reading end of a ring. There must be one only.
#[derive(Debug)]
pub struct Ring {
    fd: OwnedFd,
    /// Bytes of the ring, a power of two.
    size: u64,
    page: u64,
    consumer: Mapping,
    producer: Mapping,
    window: Window,
    /// Where the next record begins.
    position: u64,
    /// Where the last one ended when somebody looked. Every look takes the line
    /// away from the hooks, which write it with each record.
    end: u64,
    /// Up to where the kernel may write again.
    released: u64,
    /// What was read is given back by [`Ring::release`] only.
    holds: bool,
    /// Offset in the data, and length, of the current record.
    record: Option<(u64, usize)>,
}

impl Ring {
    /// Maps the ring of `size` bytes behind a map's descriptor, and reads on
    /// where the last reader stopped.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn new(fd: BorrowedFd<'_>, size: u32) -> io::Result<Self> {
        let fd = fd.try_clone_to_owned()?;
        let page = rustix::param::page_size();
        let both = ProtFlags::READ | ProtFlags::WRITE;
        let consumer = Mapping::new(&fd, 0, page, both)?;
        let producer = Mapping::new(&fd, page as u64, page, ProtFlags::READ)?;
        let position = consumer.position().load(Ordering::Acquire);
        let size = u64::from(size);
        let len = (WINDOW + SLACK).min(usize::try_from(2 * size).unwrap_or(usize::MAX));
        let mut ring = Self {
            fd,
            size,
            page: page as u64,
            consumer,
            producer,
            window: Window {
                mapping: None,
                start: 0,
                len,
            },
            position,
            end: position,
            released: position,
            holds: false,
            record: None,
        };
        ring.move_window()?;
        Ok(ring)
    }

    /// From now on the kernel gets back what was read only when somebody says
    /// so, or when it is half of the ring: until then it can be read again by
    /// the next reader.
    pub fn hold(&mut self) {
        self.holds = true;
    }

    /// Where the next record begins; grows for ever.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that were read and are held.
    pub fn held(&self) -> u64 {
        self.position - self.released
    }

    /// Gives back what lies before a position.
    pub fn release(&mut self, position: u64) {
        if position > self.released && position <= self.position {
            self.released = position;
            self.consumer.position().store(position, Ordering::Release);
        }
    }

    /// Passes over what lies before a position; what is not in the ring any
    /// more, or not yet, it cannot be.
    pub fn skip_to(&mut self, position: u64) {
        let end = self.producer.position().load(Ordering::Acquire);
        if (self.position..=end).contains(&position) {
            self.position = position;
        }
    }

    /// The next record, if there is a whole one. Unless the ring holds, it is
    /// given back to the kernel with one of the next calls.
    pub fn read(&mut self) -> Option<&[u8]> {
        match self.advance() {
            true => self.record(),
            false => None,
        }
    }

    /// Goes on to the next record; false where there is none. Gives back those
    /// before where there is none, or they are many; where the ring holds, only
    /// when they are half of it.
    pub fn advance(&mut self) -> bool {
        let found = self.go_on();
        if !found && !self.holds {
            self.release(self.position);
        }
        found
    }

    fn go_on(&mut self) -> bool {
        self.record = None;
        let most = match self.holds {
            true => self.size / 2,
            false => self.size / 16,
        };
        loop {
            if self.held() > most {
                self.release(self.position);
            }
            if self.position >= self.end {
                self.end = self.producer.position().load(Ordering::Acquire);
                if self.position >= self.end {
                    return false;
                }
            }
            if !self.window.holds(self.position & (self.size - 1), HEAD)
                && self.move_window().is_err()
            {
                return false;
            }
            let offset = self.position & (self.size - 1);
            let Some(head) = self.window.head(offset) else {
                return false;
            };
            let head = head.load(Ordering::Acquire);
            if head & BUSY != 0 {
                return false;
            }
            let len = (head & !(BUSY | DISCARDED)) as usize;
            if !self.window.holds(offset, HEAD + len) && self.move_window().is_err() {
                return false;
            }
            self.position += ((len + HEAD) as u64).next_multiple_of(8);
            if head & DISCARDED == 0 {
                self.record = Some((offset + HEAD as u64, len));
                return true;
            }
        }
    }

    /// The record that [`advance`](Self::advance) went on to.
    pub fn record(&self) -> Option<&[u8]> {
        let (offset, len) = self.record?;
        self.window.bytes(offset, len)
    }

    /// Maps the window where the next record begins.
    fn move_window(&mut self) -> io::Result<()> {
        let offset = self.position & (self.size - 1);
        let start = offset & !(self.page - 1);
        // Never beyond the second copy of the data.
        let start = start.min(2 * self.size - self.window.len as u64);
        let file_offset = 2 * self.page + start;
        self.window.mapping = None;
        let mapping = Mapping::new(&self.fd, file_offset, self.window.len, ProtFlags::READ)?;
        self.window.mapping = Some(mapping);
        self.window.start = start;
        Ok(())
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A part of the data.
#[derive(Debug)]
struct Window {
    mapping: Option<Mapping>,
    /// Offset in the data.
    start: u64,
    len: usize,
}

impl Window {
    /// Whether `len` bytes at `offset` of the data are mapped.
    fn holds(&self, offset: u64, len: usize) -> bool {
        self.mapping.is_some()
            && offset >= self.start
            && usize::try_from(offset - self.start).is_ok_and(|at| at + len <= self.len)
    }

    fn at(&self, offset: u64, len: usize) -> Option<*const u8> {
        let mapping = self.mapping.as_ref()?;
        if !self.holds(offset, len) {
            return None;
        }
        let at = usize::try_from(offset - self.start).ok()?;
        // SAFETY: `holds` has checked that it lies within the mapping.
        Some(unsafe { mapping.start.as_ptr().add(at) })
    }

    fn head(&self, offset: u64) -> Option<&AtomicU32> {
        let at = self.at(offset, HEAD)?;
        // SAFETY: mapped for as long as `self` is borrowed, and aligned, as
        // records begin at multiples of 8; the kernel writes it atomically.
        Some(unsafe { &*at.cast::<AtomicU32>() })
    }

    fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let at = self.at(offset, len)?;
        // SAFETY: mapped for as long as `self` is borrowed. The record is
        // committed and the consumer's position is still before it (the
        // next `advance` or `release` needs `&mut`), so the kernel does not
        // write there.
        Some(unsafe { std::slice::from_raw_parts(at, len) })
    }
}

/// Mapped pages of a ring or an array.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the pages belong to no thread.
unsafe impl Send for Mapping {}

impl Mapping {
    pub(super) fn new(
        fd: impl AsFd,
        offset: u64,
        len: usize,
        access: ProtFlags,
    ) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(ptr::null_mut(), len, access, MapFlags::SHARED, fd, offset)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// The number that the page begins with.
    pub(super) fn position(&self) -> &AtomicU64 {
        self.number(0)
    }

    /// The number at an offset in bytes, a multiple of eight within the
    /// mapping.
    pub(super) fn number(&self, at: usize) -> &AtomicU64 {
        assert!(
            at.is_multiple_of(8) && at + 8 <= self.len,
            "within the mapping"
        );
        // SAFETY: mapped for as long as `self` lives, page-aligned, and `at`
        // is aligned and within.
        unsafe { self.start.byte_add(at).cast::<AtomicU64>().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nothing borrows it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
