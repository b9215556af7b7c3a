//! Very many processes, or threads.

use std::{
    io::Read,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::say;

/// Forks that are refused before one of the bomb's processes gives up and
/// makes room for another.
const PATIENCE: u64 = 200;
/// Between two tries: other programs want the CPUs, too.
const PAUSE: Duration = Duration::from_millis(5);

struct Bomb {
    /// The process that began; without it the bomb is over, too.
    first: AtomicI32,
    made: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
}

/// A fork bomb: each process forks until it may not, and goes on trying. Says
/// `limit` when the limit was reached; ends with standard input, and says how
/// many processes there were besides.
pub(super) fn bomb() {
    // SAFETY: a new mapping, shared with all children, is zeroes, which is a
    // valid bomb; it stays until the end.
    let bomb: &Bomb = unsafe {
        let at = libc::mmap(
            ptr::null_mut(),
            size_of::<Bomb>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert!(at != libc::MAP_FAILED, "mmap");
        &*at.cast()
    };
    // SAFETY: no memory is involved.
    bomb.first
        .store(unsafe { libc::getpid() }, Ordering::SeqCst);
    // SAFETY: no memory is involved. Nobody is waited for one by one; orphans
    // are this process's.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    }
    // SAFETY: one thread.
    match unsafe { libc::fork() } {
        0 => explode(bomb),
        pid => assert!(pid > 0, "fork"),
    }
    bomb.made.fetch_add(1, Ordering::SeqCst);
    while bomb.refused.load(Ordering::SeqCst) < PATIENCE {
        thread::sleep(PAUSE);
    }
    say("limit");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    bomb.over.store(true, Ordering::SeqCst);
    // SAFETY: null is allowed; it returns when there are no more.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0 {}
    say(&bomb.made.load(Ordering::SeqCst).to_string());
}

fn explode(bomb: &Bomb) -> ! {
    let mut is_first = true;
    let mut refused = 0;
    loop {
        let first = bomb.first.load(Ordering::Relaxed);
        // SAFETY: no signal is sent.
        let alone = unsafe { libc::kill(first, 0) } != 0;
        let tired = refused > PATIENCE && !is_first;
        if alone || tired || bomb.over.load(Ordering::Relaxed) {
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: one thread.
        match unsafe { libc::fork() } {
            0 => (is_first, refused) = (false, 0),
            -1 => {
                refused += 1;
                bomb.refused.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
            _ => {
                bomb.made.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// So many processes that sleep until standard input ends. They share their
/// memory: that is what makes them cheap.
pub(super) fn crowd(count: u64) {
    const STACK: usize = 8_192;
    extern "C" fn sleep(_: *mut libc::c_void) -> libc::c_int {
        // SAFETY: no memory is involved.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
    let count = usize::try_from(count).unwrap();
    let mut stacks = vec![0_u8; count * STACK];
    let mut pids = Vec::with_capacity(count);
    for stack in stacks.chunks_exact_mut(STACK) {
        let top = stack
            .as_mut_ptr_range()
            .end
            .map_addr(|address| address & !15);
        // SAFETY: the stack is the child's alone and outlives it.
        let pid = unsafe {
            libc::clone(
                sleep,
                top.cast(),
                libc::CLONE_VM | libc::SIGCHLD,
                ptr::null_mut(),
            )
        };
        assert!(pid > 0, "clone: {}", std::io::Error::last_os_error());
        pids.push(pid);
    }
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    for &pid in &pids {
        // SAFETY: children that were not waited for; null is allowed.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    for pid in pids {
        // SAFETY: as above.
        unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
    }
}

/// So many threads at once, beside the first, which ends them all when
/// standard input ends.
pub(super) fn threads(count: u64) {
    let ready = Arc::new(AtomicU64::new(0));
    for _ in 0..count {
        let ready = Arc::clone(&ready);
        let small = thread::Builder::new().stack_size(64 * 1_024);
        let work = move || {
            ready.fetch_add(1, Ordering::SeqCst);
            loop {
                thread::park();
            }
        };
        drop(small.spawn(work).unwrap());
    }
    while ready.load(Ordering::SeqCst) < count {
        thread::sleep(PAUSE);
    }
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
