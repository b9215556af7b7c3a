//! Regular files behind standard output and error: noted at exec, told at a bad
//! end. So nothing is read while the process runs, and one that lives 200 µs
//! has its last words as well.

use sensor_common::{
    event::{Header, Output, OutputFile, STDERR, STDOUT},
    limits::{NAME_MAX, PATH_MAX},
};

use crate::{
    emit,
    maps::OUTPUT,
    path,
    task::{File, Task},
};

/// Where the record is put together; see `probes::exec::Buffer`.
#[repr(C)]
pub struct Buffer {
    record: Output,
    tail: [u8; PATH_MAX + NAME_MAX],
}

/// Notes what is behind descriptors 1 and 2, and how much is in it already.
#[inline(always)]
pub fn note(task: Task, outputs: &mut [OutputFile; 2]) {
    for (descriptor, output) in [(1, 0), (2, 1)] {
        outputs[output] = match task.open_file(descriptor) {
            Some(file) => file.regular(),
            None => OutputFile { inode: 0, size: 0 },
        };
    }
}

/// Tells where the process wrote. `header` but for its kind is that of the
/// exit.
#[inline(always)]
pub fn tell(task: Task, header: Header) {
    let (stdout, stderr) = (task.open_file(1), task.open_file(2));
    let (out, err) = (inode(stdout), inode(stderr));
    if out != 0 && out != err {
        send(stdout, STDOUT, header);
    }
    if err != 0 {
        let streams = if out == err { STDOUT | STDERR } else { STDERR };
        send(stderr, streams, header);
    }
}

#[inline(always)]
fn inode(file: Option<File>) -> u64 {
    match file {
        Some(file) => file.regular().inode,
        None => 0,
    }
}

#[inline(always)]
fn send(file: Option<File>, streams: u32, header: Header) {
    let (Some(file), Some(buffer)) = (file, OUTPUT.get_ptr_mut(0)) else {
        return;
    };
    // SAFETY: an element of a per-CPU map belongs to this CPU, and hooks do
    // not interrupt each other.
    let Buffer { record, tail } = unsafe { &mut *buffer };
    record.header = header;
    record.streams = streams;
    record.file = file.regular();
    record.path_len = 0;
    if File::has_place() {
        // SAFETY: `tail` has `PATH_MAX + NAME_MAX` bytes.
        unsafe { path::write(tail.as_mut_ptr(), &raw mut record.path_len, file) };
    }
    // SAFETY: the reference is valid. Volatile for the verifier's sake.
    let len = unsafe { (&raw const record.path_len).read_volatile() } as usize;
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
