//! The kernel's fields that the programs read, by name.
//!
//! Rust has no CO-RE relocations, so the daemon looks each name up in the
//! running kernel's BTF and hands the offsets to the programs as one
//! read-only array. The verifier knows the array's values, so a missing field
//! costs nothing: the code that would read it is dead.

/// Offset of a field that the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Index of a field in the array of offsets.
pub type Field = usize;

/// What the programs need to know of one kernel field.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// `type.member.member`, or `bit type.member`, `sizeof type`,
    /// `args tracepoint`, or `percpu variable`. A member of an array is that
    /// of its first element; the offset of a bit is in bits.
    pub path: &'static str,
    /// Its size in bytes; another size counts as absent. 0: any.
    pub size: u32,
}

macro_rules! fields {
    ($($name:ident = $path:literal, $size:literal;)*) => {
        fields!(@index 0; $($name = $path;)*);

        /// Every field, in the order of the offsets.
        pub const FIELDS: [Need; COUNT] = [$(Need { path: $path, size: $size }),*];
    };
    (@index $index:expr; $name:ident = $path:literal; $($rest:tt)*) => {
        #[doc = concat!("`", $path, "`")]
        pub const $name: Field = $index;
        fields!(@index $index + 1; $($rest)*);
    };
    (@index $index:expr;) => {
        /// How many fields there are.
        pub const COUNT: usize = $index;
    };
}

fields! {
    TASK_PID = "task_struct.pid", 4;
    TASK_TGID = "task_struct.tgid", 4;
    TASK_FLAGS = "task_struct.flags", 4;
    TASK_IN_EXEC = "bit task_struct.in_execve", 0;
    TASK_EXIT_STATE = "task_struct.exit_state", 4;
    TASK_EXIT_CODE = "task_struct.exit_code", 4;
    TASK_START = "task_struct.start_boottime", 8;
    TASK_PARENT = "task_struct.real_parent", 8;
    TASK_LEADER = "task_struct.group_leader", 8;
    TASK_SIGNAL = "task_struct.signal", 8;
    TASK_MM = "task_struct.mm", 8;
    TASK_CRED = "task_struct.cred", 8;
    TASK_FILES = "task_struct.files", 8;
    TASK_COMM = "task_struct.comm", 16;
    TASK_CGROUPS = "task_struct.cgroups", 8;
    CGROUPS_DEFAULT = "css_set.dfl_cgrp", 8;
    CGROUP_NODE = "cgroup.kn", 8;
    NODE_ID = "kernfs_node.id", 8;
    TASK_CPU = "task_struct.se.sum_exec_runtime", 8;
    TASK_EXEC_START = "task_struct.se.exec_start", 8;
    TASK_CFS_RQ = "task_struct.se.cfs_rq", 8;
    TASK_LAST_ARRIVAL = "task_struct.sched_info.last_arrival", 8;
    TASK_USER = "task_struct.utime", 8;
    TASK_SYSTEM = "task_struct.stime", 8;
    TASK_RUNQUEUE = "task_struct.sched_info.run_delay", 8;
    TASK_ARRIVALS = "task_struct.sched_info.pcount", 8;
    TASK_VOLUNTARY = "task_struct.nvcsw", 8;
    TASK_INVOLUNTARY = "task_struct.nivcsw", 8;
    TASK_MINOR = "task_struct.min_flt", 8;
    TASK_MAJOR = "task_struct.maj_flt", 8;
    TASK_READ_BYTES = "task_struct.ioac.read_bytes", 8;
    TASK_WRITE_BYTES = "task_struct.ioac.write_bytes", 8;
    TASK_RCHAR = "task_struct.ioac.rchar", 8;
    TASK_WCHAR = "task_struct.ioac.wchar", 8;
    SIGNAL_LIVE = "signal_struct.live", 4;
    SIGNAL_THREADS = "signal_struct.nr_threads", 4;
    SIGNAL_FLAGS = "signal_struct.flags", 4;
    SIGNAL_EXIT_CODE = "signal_struct.group_exit_code", 4;
    SIGNAL_MAXRSS = "signal_struct.maxrss", 8;
    SIGNAL_CPU = "signal_struct.sum_sched_runtime", 8;
    SIGNAL_USER = "signal_struct.utime", 8;
    SIGNAL_SYSTEM = "signal_struct.stime", 8;
    SIGNAL_VOLUNTARY = "signal_struct.nvcsw", 8;
    SIGNAL_INVOLUNTARY = "signal_struct.nivcsw", 8;
    SIGNAL_MINOR = "signal_struct.min_flt", 8;
    SIGNAL_MAJOR = "signal_struct.maj_flt", 8;
    SIGNAL_READ_BYTES = "signal_struct.ioac.read_bytes", 8;
    SIGNAL_WRITE_BYTES = "signal_struct.ioac.write_bytes", 8;
    SIGNAL_RCHAR = "signal_struct.ioac.rchar", 8;
    SIGNAL_WCHAR = "signal_struct.ioac.wchar", 8;
    CFS_RQ_RQ = "cfs_rq.rq", 8;
    RQ_CLOCK = "rq.clock", 8;
    RQ_CLOCK_TASK = "rq.clock_task", 8;
    RQ_STEAL = "rq.prev_steal_time_rq", 8;
    CPU_RQ = "percpu runqueues", 0;
    CPU_STEAL = "percpu steal_time", 0;
    CRED_EUID = "cred.euid", 4;
    MM_ARG_START = "mm_struct.arg_start", 8;
    MM_ARG_END = "mm_struct.arg_end", 8;
    MM_EXE_FILE = "mm_struct.exe_file", 8;
    MM_PEAK = "mm_struct.hiwater_rss", 8;
    MM_RSS_COUNT = "mm_struct.rss_stat.count", 8;
    COUNTER_SIZE = "sizeof percpu_counter", 0;
    FILE_PATH_MNT = "file.f_path.mnt", 8;
    FILE_PATH_DENTRY = "file.f_path.dentry", 8;
    FILE_INODE = "file.f_inode", 8;
    FILES_TABLE = "files_struct.fdt", 8;
    FILES_OWN_TABLE = "files_struct.fdtab", 0;
    FILES_OWN_FILES = "files_struct.fd_array", 0;
    TABLE_FILES = "fdtable.fd", 8;
    INODE_MODE = "inode.i_mode", 2;
    INODE_NUMBER = "inode.i_ino", 8;
    INODE_SIZE = "inode.i_size", 8;
    DENTRY_PARENT = "dentry.d_parent", 8;
    DENTRY_NAME = "dentry.d_name.name", 8;
    DENTRY_NAME_LEN = "dentry.d_name.len", 4;
    DENTRY_OWN_NAME = "dentry.d_shortname.string", 0;
    DENTRY_INAME = "dentry.d_iname", 0;
    VFSMOUNT_ROOT = "vfsmount.mnt_root", 8;
    MOUNT_MNT = "mount.mnt", 0;
    MOUNT_PARENT = "mount.mnt_parent", 8;
    MOUNT_POINT = "mount.mnt_mountpoint", 8;
    EXIT_ARGS = "args sched_process_exit", 0;
    SIGNAL_CODE = "kernel_siginfo.si_code", 4;
    VICTIM_ARGS = "args mark_victim", 0;
    CALL_ARGS = "args sys_enter", 0;
    REGS_DI = "pt_regs.di", 8;
    REGS_SI = "pt_regs.si", 8;
    REGS_DX = "pt_regs.dx", 8;
    REGS_ALL = "pt_regs.regs", 0;
    THREAD_STATUS = "task_struct.thread_info.status", 4;
    THREAD_FLAGS = "task_struct.thread_info.flags", 8;
}
