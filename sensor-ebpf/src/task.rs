//! Threads: who they are, and what they used.

use core::ptr;

use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use sensor_common::{
    event::{Figures, UNKNOWN_UID},
    field::{self, ABSENT, Field},
    limits::COMM_LEN,
};

use crate::{
    clock,
    file::File,
    memory::Memory,
    queue::Queue,
    read::{has, offset, pointer, read},
    signal::Signal,
};

/// `PF_KTHREAD` of include/linux/sched.h.
const KERNEL_THREAD: u32 = 0x0020_0000;
/// `TS_COMPAT` of arch/x86/include/asm/thread_info.h, in `status`.
const COMPAT_STATUS: u32 = 2;
/// `TIF_32BIT` of arch/arm64/include/asm/thread_info.h, in `flags`.
const COMPAT_FLAG: u64 = 1 << 22;

/// A `task_struct`.
#[derive(Clone, Copy)]
pub struct Task(*const u8);

impl Task {
    /// Takes an argument of the tracepoint.
    pub fn new(argument: *const u8) -> Self {
        Self(argument)
    }

    #[inline(always)]
    fn u32(self, field: Field) -> u32 {
        // SAFETY: `self` came from a tracepoint argument or a field of it.
        unsafe { read(self.0, field) }
    }

    #[inline(always)]
    fn u64(self, field: Field) -> u64 {
        // SAFETY: as in `u32`.
        unsafe { read(self.0, field) }
    }

    #[inline(always)]
    fn pointer(self, field: Field) -> *const u8 {
        // SAFETY: as in `u32`.
        unsafe { pointer(self.0, field) }
    }

    /// Thread id.
    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.u32(field::TASK_PID)
    }

    /// Thread group id.
    #[inline(always)]
    pub fn pid(self) -> u32 {
        self.u32(field::TASK_TGID)
    }

    /// Whether it has no user side.
    #[inline(always)]
    pub fn is_kernel_thread(self) -> bool {
        self.u32(field::TASK_FLAGS) & KERNEL_THREAD != 0
    }

    /// Whether it is about to run a new program.
    #[inline(always)]
    pub fn is_in_exec(self) -> bool {
        let bit = offset(field::TASK_IN_EXEC);
        if bit == ABSENT {
            return false;
        }
        // SAFETY: as in `read`; the word is the one that holds the bit.
        let word = unsafe { ptr::read_volatile(self.0.add((bit / 32 * 4) as usize).cast::<u32>()) };
        word >> (bit % 32) & 1 != 0
    }

    /// Whether it has passed the exit hook for good (`EXIT_ZOMBIE` or dead).
    #[inline(always)]
    pub fn has_exited(self) -> bool {
        self.u32(field::TASK_EXIT_STATE) != 0
    }

    /// Start on CLOCK_BOOTTIME, ns.
    #[inline(always)]
    pub fn start(self) -> u64 {
        self.u64(field::TASK_START)
    }

    /// Leader of the thread group.
    #[inline(always)]
    pub fn leader(self) -> Self {
        Self(self.pointer(field::TASK_LEADER))
    }

    /// The parent that a new child would be reparented from.
    #[inline(always)]
    pub fn parent(self) -> Self {
        Self(self.pointer(field::TASK_PARENT))
    }

    /// What the threads share.
    #[inline(always)]
    pub fn signal(self) -> Signal {
        Signal::new(self.pointer(field::TASK_SIGNAL))
    }

    /// The address space; `None` for kernel threads and after `exit_mm`.
    #[inline(always)]
    pub fn memory(self) -> Option<Memory> {
        let mm = self.pointer(field::TASK_MM);
        (!mm.is_null()).then(|| Memory::new(mm))
    }

    /// Files behind descriptors 1 and 2, where the table of open files is the
    /// first one, which has room for 64 and lies in `files_struct`: then the
    /// verifier knows what they are. `None` where it had to grow.
    #[inline(always)]
    pub fn outputs(self) -> Option<[File; 2]> {
        if !has(field::FILES_TABLE) || !has(field::FILES_OWN_TABLE) || !has(field::FILES_OWN_FILES)
        {
            return None;
        }
        let files = self.pointer(field::TASK_FILES);
        // SAFETY: `files_struct` is a typed pointer and has the fields; the
        // array is of pointers, 8 bytes each.
        unsafe {
            let own = files.add(offset(field::FILES_OWN_TABLE) as usize);
            if files.is_null() || pointer(files, field::FILES_TABLE) != own {
                return None;
            }
            let array = files.add(offset(field::FILES_OWN_FILES) as usize);
            let [out, err] = [array.add(8), array.add(16)];
            Some([
                File::new(ptr::read_volatile(out.cast())),
                File::new(ptr::read_volatile(err.cast())),
            ])
        }
    }

    /// Address of the table of open files: a pointer for each descriptor.
    #[inline(always)]
    pub fn descriptors(self) -> Option<u64> {
        if !has(field::FILES_TABLE) || !has(field::TABLE_FILES) {
            return None;
        }
        let files = self.pointer(field::TASK_FILES);
        if files.is_null() {
            return None;
        }
        // SAFETY: `files` and `fdt` are typed pointers and have the fields.
        let table: u64 = unsafe { read(pointer(files, field::FILES_TABLE), field::TABLE_FILES) };
        (table != 0).then_some(table)
    }

    /// Effective user id in the initial namespace.
    #[inline(always)]
    pub fn user(self) -> u32 {
        if !has(field::CRED_EUID) || !has(field::TASK_CRED) {
            return UNKNOWN_UID;
        }
        let cred = self.pointer(field::TASK_CRED);
        // For the verifier, where the kernel's BTF marks what RCU guards.
        if cred.is_null() {
            return UNKNOWN_UID;
        }
        // SAFETY: `cred` is a typed pointer and has the field.
        unsafe { read(cred, field::CRED_EUID) }
    }

    /// Writes its name, NUL-terminated; what follows the NUL is of nobody's.
    ///
    /// # Safety
    ///
    /// `to` must be aligned to 8 bytes, as in a record.
    #[inline(always)]
    pub unsafe fn write_name(self, to: &mut [u8; COMM_LEN]) {
        if !has(field::TASK_COMM) {
            to[0] = 0;
            return;
        }
        let to = to.as_mut_ptr().cast::<u64>();
        for word in 0..COMM_LEN / 8 {
            // SAFETY: as in `u32`, and by the caller; both have that many bytes.
            unsafe {
                let from = self.0.add(offset(field::TASK_COMM) as usize);
                let value = ptr::read_volatile(from.cast::<u64>().add(word));
                ptr::write_volatile(to.add(word), value);
            }
        }
    }

    /// Id of the cgroup of version 2 of a task that runs: by loads, for the
    /// call of a helper costs more than all of them.
    #[inline(always)]
    pub fn cgroup(self) -> u64 {
        let known = has(field::TASK_CGROUPS) && has(field::CGROUPS_DEFAULT);
        if !known || !has(field::CGROUP_NODE) || !has(field::NODE_ID) {
            // SAFETY: no arguments.
            return unsafe { bpf_get_current_cgroup_id() };
        }
        let groups = self.pointer(field::TASK_CGROUPS);
        // For the verifier, as in `user`.
        if groups.is_null() {
            return 0;
        }
        // SAFETY: they are typed pointers and have the fields.
        unsafe {
            let group = pointer(groups, field::CGROUPS_DEFAULT);
            read(pointer(group, field::CGROUP_NODE), field::NODE_ID)
        }
    }

    /// Exit status of this thread alone.
    #[inline(always)]
    pub fn exit_code(self) -> u32 {
        self.u32(field::TASK_EXIT_CODE)
    }

    /// CPU time as of the last update: exact where the thread leaves its CPU,
    /// ns.
    #[inline(always)]
    pub fn cpu_time(self) -> u64 {
        self.u64(field::TASK_CPU)
    }

    /// CPU time of a thread that is on the CPU right now, ns; `now` on
    /// CLOCK_BOOTTIME.
    #[inline(always)]
    pub fn cpu_time_now(self, now: u64) -> u64 {
        self.cpu_time() + self.since_last_update(now)
    }

    /// How often it got a CPU.
    #[inline(always)]
    pub fn arrivals(self) -> u64 {
        self.u64(field::TASK_ARRIVALS)
    }

    /// How long it was runnable without running, ns.
    #[inline(always)]
    pub fn delay(self) -> u64 {
        self.u64(field::TASK_RUNQUEUE)
    }

    /// How often it was switched out while it could have gone on.
    #[inline(always)]
    pub fn preemptions(self) -> u64 {
        self.u64(field::TASK_INVOLUNTARY)
    }

    /// Whether it makes the system calls of a 32-bit program. That it does so
    /// is taken to be where the kernel does not tell.
    #[inline(always)]
    pub fn is_compat(self) -> bool {
        if has(field::REGS_DI) {
            !has(field::THREAD_STATUS) || self.u32(field::THREAD_STATUS) & COMPAT_STATUS != 0
        } else {
            !has(field::THREAD_FLAGS) || self.u64(field::THREAD_FLAGS) & COMPAT_FLAG != 0
        }
    }

    /// Writes what this thread used. `now`, on CLOCK_BOOTTIME, says that it is
    /// on the CPU right now, so that its CPU time is behind and has to be
    /// brought up to date. Into memory, not as a value: the stack is 512 bytes.
    #[inline(always)]
    pub fn write_to(self, figures: &mut Figures, now: Option<u64>) {
        self.each(now, |place, value| *place(figures) = value);
    }

    /// The same, added to what others used.
    #[inline(always)]
    pub fn add_to(self, sum: &mut Figures, now: Option<u64>) {
        self.each(now, |place, value| *place(sum) += value);
    }

    #[inline(always)]
    fn each(self, now: Option<u64>, mut take: impl FnMut(fn(&mut Figures) -> &mut u64, u64)) {
        let cpu = match now {
            Some(now) => self.cpu_time_now(now),
            None => self.cpu_time(),
        };
        take(|figures| &mut figures.cpu, cpu);
        take(|figures| &mut figures.user, self.u64(field::TASK_USER));
        take(|figures| &mut figures.system, self.u64(field::TASK_SYSTEM));
        take(|figures| &mut figures.runqueue, self.delay());
        let voluntary = self.u64(field::TASK_VOLUNTARY);
        take(|figures| &mut figures.voluntary, voluntary);
        take(|figures| &mut figures.involuntary, self.preemptions());
        take(|figures| &mut figures.minor, self.u64(field::TASK_MINOR));
        take(|figures| &mut figures.major, self.u64(field::TASK_MAJOR));
        let read_bytes = self.u64(field::TASK_READ_BYTES);
        take(|figures| &mut figures.read_bytes, read_bytes);
        let write_bytes = self.u64(field::TASK_WRITE_BYTES);
        take(|figures| &mut figures.write_bytes, write_bytes);
        take(|figures| &mut figures.rchar, self.u64(field::TASK_RCHAR));
        take(|figures| &mut figures.wchar, self.u64(field::TASK_WCHAR));
    }

    /// CPU time that `se.sum_exec_runtime` does not have yet: the kernel adds
    /// to it at ticks and switches only (contract A1).
    #[inline(always)]
    fn since_last_update(self, now: u64) -> u64 {
        let Some(queue) = self.queue() else {
            return 0;
        };
        let clock = queue.u64(field::RQ_CLOCK);
        let Some(now) = clock::to_scheduler(now, clock) else {
            return 0;
        };
        // Interrupt and stolen time is not the thread's.
        let taken = clock.saturating_sub(queue.u64(field::RQ_CLOCK_TASK));
        let since_update = now.saturating_sub(clock);
        let stolen = queue.stolen_since_update();
        // As `update_rq_clock_task`: what is more is taken off later.
        let stolen = if stolen < since_update {
            stolen
        } else {
            since_update
        };
        let ran = now
            .saturating_sub(taken)
            .saturating_sub(stolen)
            .saturating_sub(self.u64(field::TASK_EXEC_START));
        let on_cpu = now.saturating_sub(self.u64(field::TASK_LAST_ARRIVAL));
        if ran < on_cpu { ran } else { on_cpu }
    }

    /// Compares the clock of this task's run queue with CLOCK_BOOTTIME.
    #[inline(always)]
    pub fn observe_clock(self) {
        if let Some(queue) = self.queue() {
            clock::observe(queue.u64(field::RQ_CLOCK));
        }
    }

    /// The run queue it is on, where the kernel has all of its clocks.
    #[inline(always)]
    fn queue(self) -> Option<Queue> {
        if !has(field::RQ_CLOCK) || !has(field::RQ_CLOCK_TASK) || !has(field::CFS_RQ_RQ) {
            return None;
        }
        if !has(field::TASK_CFS_RQ) || !has(field::TASK_LAST_ARRIVAL) {
            return None;
        }
        let queue = self.pointer(field::TASK_CFS_RQ);
        // SAFETY: `cfs_rq` is a typed pointer and has the field; the pointer is
        // read without `read` for the verifier's sake.
        let queue =
            unsafe { ptr::read_volatile(queue.add(offset(field::CFS_RQ_RQ) as usize).cast()) };
        Some(Queue::new(queue))
    }
}
