//! Arrays that tell most who are not in a hash map from those who may be, by
//! one load of a line that is in the cache: a look into the map itself costs a
//! few hundred ns.

use aya_ebpf::maps::Array;
use sensor_common::limits::MARKS;

use crate::counter::Counter;

/// How many entries of a map have a thread group id that ends in the same bits.
#[inline(always)]
pub fn of(marks: &'static Array<Counter>, pid: u32) -> Option<&'static Counter> {
    // SAFETY: an element of an array is never freed while the map lives.
    marks
        .get_ptr(pid & (MARKS - 1))
        .map(|mark| unsafe { &*mark })
}

/// Whether a process may have an entry.
#[inline(always)]
pub fn is_set(marks: &'static Array<Counter>, pid: u32) -> bool {
    match of(marks, pid) {
        Some(mark) => mark.get() != 0,
        None => false,
    }
}
