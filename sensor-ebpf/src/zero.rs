//! Zeros, in words: the toolchain's `memset` writes one byte after the other.

/// Makes all bytes of a place zero.
///
/// # Safety
///
/// `T` must be made of integers only.
#[inline(always)]
pub unsafe fn fill<T>(place: &mut T) {
    const { assert!(align_of::<T>() >= 4 && size_of::<T>() % 4 == 0) };
    let place = (&raw mut *place).cast::<u32>();
    for word in 0..size_of::<T>() / 4 {
        // SAFETY: by the caller. Volatile, or it becomes a `memset`.
        unsafe { place.add(word).write_volatile(0) };
    }
}
