//! Questions to the engine's thread, which alone knows the processes.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use crate::engine::{Described, Engine};

/// Questions that wait.
const WAITING: usize = 256;
/// How long an answer may take; an incident goes on without it.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// What is known of the process with this pid.
    Process(u32, oneshot::Sender<Option<Box<Described>>>),
    /// Which processes are watched.
    Watched(oneshot::Sender<Vec<u32>>),
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    to: SyncSender<Question>,
    wake: Arc<OwnedFd>,
}

/// Who answers.
#[derive(Debug)]
pub struct Questions {
    from: Receiver<Question>,
    wake: Arc<OwnedFd>,
}

/// Both ends.
///
/// # Errors
///
/// Where descriptors run out.
pub fn channel() -> io::Result<(Asker, Questions)> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let wake = Arc::new(eventfd(0, flags)?);
    let (to, from) = sync_channel(WAITING);
    let asker = Asker {
        to,
        wake: Arc::clone(&wake),
    };
    Ok((asker, Questions { from, wake }))
}

impl Asker {
    /// The process with this pid; `None` also where there is no time to say.
    pub async fn process(&self, pid: u32) -> Option<Box<Described>> {
        self.ask(|answer| Question::Process(pid, answer)).await?
    }

    /// All watched processes.
    pub async fn watched(&self) -> Vec<u32> {
        self.ask(Question::Watched).await.unwrap_or_default()
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.to.try_send(question(answer)).ok()?;
        // A counter at its limit has woken the other side already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()
    }
}

impl Questions {
    /// Answers what has been asked. Never waits.
    pub fn answer(&self, engine: &mut Engine) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        for question in self.from.try_iter() {
            // Whoever has lost patience needs no answer.
            match question {
                Question::Process(pid, answer) => {
                    drop(answer.send(engine.described(pid).map(Box::new)));
                }
                Question::Watched(answer) => drop(answer.send(engine.watched())),
            }
        }
    }
}

impl AsFd for Questions {
    /// Readable where somebody has asked.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
