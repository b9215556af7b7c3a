//! Regular files behind standard output and error: noted at exec, told at a bad
//! end. So nothing is read while the process runs, and one that lives 200 µs
//! has its last words as well.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use sensor_common::{
    event::{Header, Output, OutputFile, STDERR, STDOUT},
    field,
    limits::{NAME_MAX, PATH_MAX},
};

use crate::{
    emit,
    file::{FILE_TYPE, REGULAR},
    maps::OUTPUT,
    path,
    read::probe,
    task::Task,
};

const NONE: OutputFile = OutputFile { inode: 0, size: 0 };

/// Where the record is put together; see `probes::exec::Buffer`.
#[repr(C)]
pub struct Buffer {
    record: Output,
    tail: [u8; PATH_MAX + NAME_MAX],
}

/// What is behind descriptors 1 and 2, and how much is in it already.
#[inline(always)]
pub fn note(task: Task) -> [OutputFile; 2] {
    if !emit::wants_outputs() {
        return [NONE, NONE];
    }
    // At every exec: without a call of a helper, where that is possible.
    if let Some([out, err]) = task.outputs() {
        let stdout = out.regular().unwrap_or(NONE);
        if err.is(out) {
            return [stdout, stdout];
        }
        return [stdout, err.regular().unwrap_or(NONE)];
    }
    let [out, err] = open_files(task);
    let stdout = regular(out);
    [stdout, if err == out { stdout } else { regular(err) }]
}

/// Tells where the process wrote. `header` but for its kind is that of the
/// exit.
#[inline(always)]
pub fn tell(task: Task, header: Header) {
    let [out, err] = open_files(task);
    let stdout = regular(out);
    let stderr = if err == out { stdout } else { regular(err) };
    if stdout.inode != 0 && stdout.inode != stderr.inode {
        send(out, stdout, STDOUT, header);
    }
    if stderr.inode != 0 {
        let both = stdout.inode == stderr.inode;
        let streams = if both { STDOUT | STDERR } else { STDERR };
        send(err, stderr, streams, header);
    }
}

/// Addresses of the files behind descriptors 1 and 2; 0: none. Only while the
/// table fits into `files_struct` would the verifier know their types, and a
/// child of a shell that keeps a high descriptor has a larger one.
#[inline(always)]
pub fn open_files(task: Task) -> [u64; 2] {
    let mut files = [0_u64; 2];
    if let Some(table) = task.descriptors() {
        // SAFETY: the helper checks the source; the destination is 16 bytes.
        let failed = unsafe {
            bpf_probe_read_kernel(files.as_mut_ptr().cast(), 16, (table + 8) as *const _)
        };
        if failed != 0 {
            return [0, 0];
        }
    }
    files
}

/// Inode number and size; nothing where it is no regular file.
#[inline(always)]
fn regular(file: u64) -> OutputFile {
    if file == 0 {
        return NONE;
    }
    let found = || {
        let inode = probe(file, field::FILE_INODE)?;
        // The first two of the bytes that are read.
        if probe(inode, field::INODE_MODE)? as u16 & FILE_TYPE != REGULAR {
            return None;
        }
        Some(OutputFile {
            inode: probe(inode, field::INODE_NUMBER)?,
            size: probe(inode, field::INODE_SIZE)?,
        })
    };
    match found() {
        Some(found) => found,
        None => NONE,
    }
}

#[inline(always)]
fn send(address: u64, file: OutputFile, streams: u32, header: Header) {
    let Some(buffer) = OUTPUT.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: an element of a per-CPU map belongs to this CPU, and hooks do
    // not interrupt each other.
    let Buffer { record, tail } = unsafe { &mut *buffer };
    record.header = header;
    record.streams = streams;
    record.file = file;
    // SAFETY: `tail` has `PATH_MAX + NAME_MAX` bytes; the reference to the
    // length is valid, volatile for the verifier's sake.
    let len = unsafe {
        path::write_untyped(tail.as_mut_ptr(), &raw mut record.path_len, address);
        (&raw const record.path_len).read_volatile()
    } as usize;
    if len > PATH_MAX + NAME_MAX {
        return;
    }
    // SAFETY: `len` bytes of `tail` follow the record.
    unsafe {
        emit::bytes(
            buffer.cast(),
            (size_of::<Output>() + len) as u64,
            header.time,
            |lost| &mut lost.output,
        );
    };
}
