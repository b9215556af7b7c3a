//! Waiting: for the ring, a signal, or a moment.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::event::{Timespec, epoll};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};

const RING: u64 = 1;
const SIGNAL: u64 = 2;
const FILES: u64 = 3;
const QUESTIONS: u64 = 4;

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The kernel programs say that there is something, somebody asks, or time
    /// is up.
    Events,
    /// SIGINT or SIGTERM: end.
    End,
    /// SIGHUP: load the plugins again.
    Reload,
    /// Something happened to the watched files.
    Files,
}

/// Waits for all of it at once.
#[derive(Debug)]
pub struct Waiter {
    epoll: OwnedFd,
    end: UnixStream,
    reload: UnixStream,
}

/// Makes a file above its limit (RLIMIT_FSIZE) an error of the write; by
/// default it ends the process without a word.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn survive_limits() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}

impl Waiter {
    /// Takes over SIGINT, SIGTERM and SIGHUP, and passes over those that would
    /// end it without a word.
    ///
    /// # Errors
    ///
    /// Where descriptors run out.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let on = |signals: &[i32]| -> io::Result<UnixStream> {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            for &signal in signals {
                signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
            }
            epoll::add(
                &epoll,
                &read,
                epoll::EventData::new_u64(SIGNAL),
                epoll::EventFlags::IN,
            )?;
            Ok(read)
        };
        let end = on(&[SIGINT, SIGTERM])?;
        let reload = on(&[SIGHUP])?;
        // By default these end a process at once. Scripts send them to have
        // logs opened again.
        for signal in [SIGUSR1, SIGUSR2, SIGALRM] {
            signal_hook::flag::register(signal, Arc::default())?;
        }
        Ok(Self { epoll, end, reload })
    }

    /// Waits for the ring as well. Edge-triggered: a ring that has data is no
    /// reason to wake up, only a kernel program that says so is. Otherwise a
    /// busy host would keep the consumer turning for a record at a time.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn add_ring(&self, ring: BorrowedFd<'_>) -> io::Result<()> {
        epoll::add(
            &self.epoll,
            ring.as_fd(),
            epoll::EventData::new_u64(RING),
            epoll::EventFlags::IN | epoll::EventFlags::ET,
        )?;
        Ok(())
    }

    /// Waits for changes of files as well.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn add_files(&self, files: BorrowedFd<'_>) -> io::Result<()> {
        epoll::add(
            &self.epoll,
            files.as_fd(),
            epoll::EventData::new_u64(FILES),
            epoll::EventFlags::IN,
        )?;
        Ok(())
    }

    /// Waits for questions as well; they wake up as [`Woken::Events`],
    /// and whoever waits looks for them each time.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn add_questions(&self, questions: BorrowedFd<'_>) -> io::Result<()> {
        epoll::add(
            &self.epoll,
            questions.as_fd(),
            epoll::EventData::new_u64(QUESTIONS),
            epoll::EventFlags::IN,
        )?;
        Ok(())
    }

    /// Waits at most until `deadline`.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn wait(&self, deadline: Instant) -> io::Result<Woken> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 5];
        let timeout = timespec(left);
        let (events, _) = match epoll::wait(&self.epoll, &mut events, Some(&timeout)) {
            Ok(events) => events,
            Err(rustix::io::Errno::INTR) => return Ok(self.signal()),
            Err(error) => return Err(error.into()),
        };
        let any = |what| events.iter().any(|event| event.data.u64() == what);
        Ok(if any(SIGNAL) {
            self.signal()
        } else if any(FILES) {
            Woken::Files
        } else {
            Woken::Events
        })
    }

    fn signal(&self) -> Woken {
        let mut buffer = [0; 16];
        let mut read = |stream: &UnixStream| {
            use std::io::Read;
            (&*stream).read(&mut buffer).is_ok_and(|len| len > 0)
        };
        let reload = read(&self.reload);
        if read(&self.end) {
            Woken::End
        } else if reload {
            Woken::Reload
        } else {
            Woken::Events
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
