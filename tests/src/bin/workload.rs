//! The processes to be observed: `workload KIND [ARGUMENT]…`.
//!
//! None reads its own CPU clock: that would bring the kernel's figure up to
//! date and hide what the exit hook has to make up for.
#![allow(
    clippy::unwrap_used,
    reason = "a process that cannot do its work ends with the reason"
)]

#[path = "workload/masses.rs"]
mod masses;

use std::{
    env,
    ffi::{CString, OsString},
    fs::OpenOptions,
    io::{Read, Write},
    os::unix::{ffi::OsStringExt, fs::OpenOptionsExt},
    process,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

fn main() {
    let args: Vec<OsString> = env::args_os().collect();
    let number = |index: usize| -> u64 {
        let text = args.get(index).and_then(|arg| arg.to_str());
        text.unwrap_or_default()
            .parse()
            .unwrap_or_else(|_| panic!("argument {index} is not a number"))
    };
    let micros = |index| Duration::from_micros(number(index));
    let kind = args.get(1).and_then(|kind| kind.to_str());
    match kind.unwrap_or_default() {
        "exit" => process::exit(i32::try_from(number(2)).unwrap()),
        "spin" => spin(micros(2)),
        "iterate" => iterate(number(2)),
        "threads" => threads(number(2), micros(3)),
        "leader-first" => leader_first(number(2), micros(3)),
        "all-exit" => all_exit(number(2)),
        "race-exit" => race_exit(number(2)),
        "signal" => signal(number(2), number(3), micros(4)),
        "hang" => hang(number(2), micros(3)),
        "exec-from-thread" => exec_from_thread(number(2), &args[3..]),
        "exec" => exec(&args[2..]),
        "fork" => fork(micros(2)),
        "vfork" => vfork(&args[2..]),
        "touch" => touch(usize::try_from(number(2)).unwrap()),
        "write" => write(&args[2], number(3)),
        "ping-pong" => ping_pong(number(2)),
        "comm" => comm(args[2].clone(), args.get(3)),
        "storm" => storm(number(2), &args[3..]),
        "pace" => pace(number(2), &args[3]),
        "nap" => {
            thread::sleep(micros(3));
            process::exit(i32::try_from(number(2)).unwrap());
        }
        "until-eof" => until_eof(number(2), micros(3)),
        "workers" => workers(number(2)),
        "turns" => turns(micros(2)),
        "bomb" => masses::bomb(),
        "crowd" => masses::crowd(number(2)),
        "many-threads" => masses::threads(number(2)),
        "exec-loop" => exec_loop(number(2)),
        "rewrite-argv" => rewrite_argv(&args[2]),
        "zombie" => zombie(),
        "leader-gone" => leader_gone(),
        "spin-forever" => loop {
            spin(Duration::from_secs(1));
        },
        other => panic!("unknown workload {other:?}"),
    }
}

/// Busy for a time by the wall clock.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Busy without a system call.
fn iterate(times: u64) {
    let mut sum = 0_u64;
    for i in 0..times {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(i));
    }
}

fn start(count: u64, work: impl Fn(u64) + Clone + Send + 'static) -> Vec<thread::JoinHandle<()>> {
    let one = |index| {
        let work = work.clone();
        thread::spawn(move || work(index))
    };
    (0..count).map(one).collect()
}

/// `count` threads that are busy; the leader ends last.
fn threads(count: u64, time: Duration) {
    for thread in start(count, move |_| spin(time)) {
        thread.join().unwrap();
    }
}

fn end_thread(code: i64) -> ! {
    // SAFETY: ends this thread only; nothing of it is used afterwards.
    unsafe { libc::syscall(libc::SYS_exit, code) };
    unreachable!("the thread has ended");
}

/// The leader ends first; the others work on. All end with code 7: newer
/// kernels tell the last thread's, older ones the leader's.
fn leader_first(count: u64, time: Duration) {
    drop(start(count, move |_| {
        spin(time);
        end_thread(7)
    }));
    spin(Duration::from_micros(300));
    end_thread(7);
}

/// Threads wait for each other without sleeping, so that they go on at once.
fn meet(met: &AtomicU32, all: u64) {
    met.fetch_add(1, Ordering::SeqCst);
    while u64::from(met.load(Ordering::SeqCst)) < all {
        thread::yield_now();
    }
}

/// All threads, the leader too, end at the same moment.
fn all_exit(count: u64) {
    let met = Arc::new(AtomicU32::new(0));
    let all = count + 1;
    let theirs = Arc::clone(&met);
    drop(start(count, move |_| {
        meet(&theirs, all);
        end_thread(0)
    }));
    meet(&met, all);
    end_thread(0);
}

/// All threads call exit_group at the same moment, each with its own code.
fn race_exit(count: u64) {
    let met = Arc::new(AtomicU32::new(0));
    let all = count + 1;
    let end = move |met: &AtomicU32, code: u64| {
        meet(met, all);
        // SAFETY: ends the process.
        unsafe { libc::syscall(libc::SYS_exit_group, code) };
    };
    let theirs = Arc::clone(&met);
    drop(start(count, move |index| end(&theirs, 11 + index)));
    end(&met, 10);
}

/// Ends itself by a signal while `count` other threads are busy.
fn signal(signal: u64, count: u64, time: Duration) {
    drop(start(count, |_| {
        loop {
            spin(Duration::from_millis(100));
        }
    }));
    spin(time);
    match i32::try_from(signal).unwrap() {
        libc::SIGABRT => process::abort(),
        libc::SIGSEGV => {
            // Rust's handler would only tell of it.
            // SAFETY: the default action needs no handler.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            // SAFETY: none: the address is not mapped, that is the purpose.
            unsafe { std::ptr::without_provenance_mut::<u8>(64).write_volatile(1) };
        }
        // SAFETY: a signal to itself.
        signal => unsafe {
            libc::kill(libc::getpid(), signal);
        },
    }
    loop {
        thread::park();
    }
}

/// Says `ready` and waits to be killed, with threads that have worked.
fn hang(count: u64, time: Duration) {
    let ready = Arc::new(Barrier::new(usize::try_from(count).unwrap() + 1));
    let theirs = Arc::clone(&ready);
    drop(start(count, move |_| {
        spin(time);
        theirs.wait();
        loop {
            thread::park();
        }
    }));
    ready.wait();
    say("ready");
    loop {
        thread::park();
    }
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

/// Half of the threads work and end, half work and wait with the leader until
/// standard input ends.
fn until_eof(count: u64, time: Duration) {
    let (ended, waiting) = (count / 2, count - count / 2);
    for thread in start(ended, move |_| spin(time)) {
        thread.join().unwrap();
    }
    let go = Arc::new(Barrier::new(usize::try_from(waiting).unwrap() + 1));
    let theirs = Arc::clone(&go);
    let threads = start(waiting, move |_| {
        spin(time);
        theirs.wait();
    });
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    go.wait();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Says `ready`; for each line of standard input it is busy for a time, and
/// says `turn`. Where the line is `fork`, a child is, and what it used is told.
fn turns(time: Duration) {
    say("ready");
    for line in std::io::stdin().lines() {
        if line.unwrap() == "fork" {
            fork(time);
        } else {
            spin(time);
            say("turn");
        }
    }
}

/// Children of the same name; all wait for the end of standard input.
fn workers(count: u64) {
    let mut pids = Vec::new();
    for _ in 0..count {
        // SAFETY: one thread; the child reads and ends.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        pids.push(pid);
    }
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    say(&format!("ready {}", list.join(" ")));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    for pid in pids {
        // SAFETY: null is allowed.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    }
}

/// A child that has ended and is not waited for.
fn zombie() {
    // SAFETY: one thread; the child ends.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: all zero is valid, and the child is left as it is.
    unsafe {
        let mut info = std::mem::zeroed();
        let id = libc::id_t::try_from(pid).unwrap();
        libc::waitid(
            libc::P_PID,
            id,
            &raw mut info,
            libc::WEXITED | libc::WNOWAIT,
        );
    }
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// The leader has ended, a thread waits for the end of standard input.
fn leader_gone() {
    thread::spawn(|| {
        let ended = || {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('Z')
        };
        while !ended() {
            thread::yield_now();
        }
        say("ready");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        process::exit(0);
    });
    end_thread(0);
}

fn exec(args: &[OsString]) {
    spin(Duration::from_micros(500));
    let args: Vec<CString> = args
        .iter()
        .map(|arg| CString::new(arg.clone().into_vec()).unwrap())
        .collect();
    let mut pointers: Vec<_> = args.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: a null-terminated array of C strings that live.
    unsafe { libc::execv(pointers[0], pointers.as_ptr()) };
    panic!("execv: {}", std::io::Error::last_os_error());
}

/// Runs itself again, so many times.
fn exec_loop(times: u64) {
    let Some(left) = times.checked_sub(1) else {
        return;
    };
    let itself = CString::new(env::args_os().next().unwrap().into_vec()).unwrap();
    let left = CString::new(left.to_string()).unwrap();
    let args = [
        itself.as_ptr(),
        c"exec-loop".as_ptr(),
        left.as_ptr(),
        std::ptr::null(),
    ];
    // SAFETY: a null-terminated array of C strings that live.
    unsafe { libc::execv(args[0], args.as_ptr()) };
    panic!("execv: {}", std::io::Error::last_os_error());
}

/// Writes over its own arguments, and waits for the end of standard input.
fn rewrite_argv(text: &OsString) {
    let text = text.clone().into_vec();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind = stat.trim_end().rsplit_once(") ").unwrap().1;
    // arg_start and arg_end are fields 48 and 49 (proc(5)); the state is the
    // third.
    let fields: Vec<usize> = behind
        .split(' ')
        .skip(45)
        .map(|n| n.parse().unwrap())
        .collect();
    let (start, end) = (fields[0], fields[1]);
    for offset in 0..end - start {
        let byte = text.get(offset).copied().unwrap_or(0);
        // SAFETY: the kernel has put the arguments there, and nobody reads
        // them any more.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(start + offset).write_volatile(byte) };
    }
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A thread that is not the leader runs a new program.
fn exec_from_thread(count: u64, args: &[OsString]) {
    let args = args.to_vec();
    let met = Arc::new(AtomicU32::new(0));
    drop(start(count, move |index| {
        meet(&met, count);
        if index == count - 1 {
            exec(&args);
        }
        loop {
            thread::park();
        }
    }));
    loop {
        thread::park();
    }
}

/// Waits for a child and says what the kernel says about it.
fn tell(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: all zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are valid.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid, "wait4");
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    say(&format!(
        "child {pid} {status} {} {} {} {} {} {} {} {} {}",
        micros(usage.ru_utime),
        micros(usage.ru_stime),
        usage.ru_maxrss,
        usage.ru_minflt,
        usage.ru_majflt,
        usage.ru_nvcsw,
        usage.ru_nivcsw,
        usage.ru_inblock,
        usage.ru_oublock
    ));
}

/// A child that never runs another program and ends with 5.
fn fork(time: Duration) {
    // SAFETY: one thread; the child spins and ends.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        spin(time);
        // SAFETY: ends the child.
        unsafe { libc::_exit(5) };
    }
    tell(pid);
}

/// A vfork child that ends with 6, or runs the given program.
fn vfork(args: &[OsString]) {
    let args: Vec<CString> = args
        .iter()
        .map(|arg| CString::new(arg.clone().into_vec()).unwrap())
        .collect();
    let mut pointers: Vec<_> = args.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // What vfork(2) is, without a second return on a stack that the child has
    // used: the child has a stack of its own.
    struct Plan<'a>(&'a [*const libc::c_char]);
    extern "C" fn child(plan: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the parent waits meanwhile and keeps the plan.
        let Plan(pointers) = unsafe { &*plan.cast::<Plan<'_>>() };
        if !pointers[0].is_null() {
            // SAFETY: a null-terminated array of C strings.
            unsafe { libc::execv(pointers[0], pointers.as_ptr()) };
        }
        6
    }
    let mut plan = Plan(&pointers);
    let mut stack = vec![0_u8; 64 * 1024];
    let top = stack.as_mut_ptr_range().end;
    let top = top.map_addr(|address| address & !15);
    // SAFETY: the stack is the child's alone, and the parent waits (CLONE_VFORK).
    let pid = unsafe {
        libc::clone(
            child,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut plan).cast(),
        )
    };
    assert!(pid > 0, "clone");
    tell(pid);
}

/// Maps memory, writes to each page, gives it back.
fn touch(bytes: usize) {
    if bytes == 0 {
        return;
    }
    // SAFETY: a new private mapping.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert!(at != libc::MAP_FAILED, "mmap");
    for offset in (0..bytes).step_by(4096) {
        // SAFETY: inside the mapping.
        unsafe { at.cast::<u8>().add(offset).write_volatile(1) };
    }
    // SAFETY: nobody uses it any more.
    unsafe { libc::munmap(at, bytes) };
}

/// Writes a file past the page cache, and reads it back the same way.
fn write(path: &OsString, bytes: u64) {
    #[repr(align(4096))]
    struct Block([u8; 65536]);
    let mut block = Box::new(Block([b'x'; 65536]));
    let open = |direct: i32| {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .custom_flags(direct)
            .open(path)
    };
    let open = || open(libc::O_DIRECT).or_else(|_| open(0)).unwrap();
    let mut file = open();
    for _ in 0..bytes / 65536 {
        file.write_all(&block.0).unwrap();
    }
    file.sync_all().unwrap();
    let mut file = open();
    for _ in 0..bytes / 65536 {
        file.read_exact(&mut block.0).unwrap();
    }
}

/// Two threads that wake each other.
fn ping_pong(times: u64) {
    let (mut a_out, mut b_in) = pipe();
    let (mut b_out, mut a_in) = pipe();
    let other = thread::spawn(move || {
        for _ in 0..times {
            b_in.read_exact(&mut [0]).unwrap();
            b_out.write_all(b"x").unwrap();
        }
    });
    for _ in 0..times {
        a_out.write_all(b"x").unwrap();
        a_in.read_exact(&mut [0]).unwrap();
    }
    other.join().unwrap();
}

fn pipe() -> (std::io::PipeWriter, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    (writer, reader)
}

/// Takes another name and says `ready`; each line of standard input is one
/// more name, until its end. A thread has a name of its own.
fn comm(name: OsString, of_thread: Option<&OsString>) {
    let name = CString::new(name.into_vec()).unwrap();
    // SAFETY: a C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    if let Some(name) = of_thread {
        let named = thread::Builder::new().name(name.to_str().unwrap().to_owned());
        let met = Arc::new(Barrier::new(2));
        let theirs = Arc::clone(&met);
        let work = move || {
            theirs.wait();
            loop {
                thread::park();
            }
        };
        drop(named.spawn(work).unwrap());
        met.wait();
    }
    say("ready");
    for line in std::io::stdin().lines() {
        std::fs::write("/proc/self/comm", line.unwrap()).unwrap();
    }
}

/// Starts processes that exit with 0, 1 and 2 in turn, at most `rate` a second,
/// until its input ends; every fifth lives for a while beside the others. Says
/// how many there were.
fn pace(rate: u64, path: &OsString) {
    let begin = Instant::now();
    let mut running: Vec<process::Child> = Vec::new();
    let input = thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
    });
    let mut number = 0;
    while !input.is_finished() {
        let due = Duration::from_nanos(1_000_000_000 / rate * number);
        thread::sleep(due.saturating_sub(begin.elapsed()));
        let code = (number % 3).to_string();
        let mut command = process::Command::new(path);
        command.env_clear();
        if number % 5 == 0 {
            command.args(["nap", code.as_str(), "150000"]);
            running.push(command.spawn().unwrap());
            running.retain_mut(|child| child.try_wait().unwrap().is_none());
        } else {
            let status = command.args(["exit", code.as_str()]).status().unwrap();
            assert_eq!(status.code(), i32::try_from(number % 3).ok());
        }
        number += 1;
    }
    for mut child in running {
        child.wait().unwrap();
    }
    println!("{number}");
}

/// Starts a program and waits for it, many times, as fast as it goes.
fn storm(times: u64, command: &[OsString]) {
    let command: Vec<CString> = command
        .iter()
        .map(|word| CString::new(word.clone().into_vec()).unwrap())
        .collect();
    let path = &command[0];
    let mut argv: Vec<_> = command
        .iter()
        .map(|word| word.as_ptr().cast_mut())
        .collect();
    argv.push(std::ptr::null_mut());
    let environment = [std::ptr::null_mut()];
    for _ in 0..times {
        let mut pid = 0;
        // SAFETY: null-terminated arrays of C strings that live.
        let failed = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                path.as_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                argv.as_ptr(),
                environment.as_ptr(),
            )
        };
        assert_eq!(failed, 0, "posix_spawn");
        let mut status = 0;
        // SAFETY: the pointer is valid.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!((waited, status), (pid, 0), "waitpid");
    }
}
