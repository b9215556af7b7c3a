//! Who sent what a request reports.

use std::{collections::HashMap, path::Path, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{
    ask::{Asker, PATIENCE},
    peer::{Peer, inner_pid},
};
use crate::{engine::Described, incident::limit::size_of_process};

/// Bytes of all senders that are held.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// Who sent something.
#[derive(Debug)]
pub(super) enum Sender {
    /// The engine knows it.
    Known(Box<Described>),
    /// Nobody watches it.
    Pid(u32),
    /// It is gone, or there was no time to say.
    Nobody,
}

/// A sender, and the room that it takes while anything of it waits.
#[derive(Debug)]
pub(super) struct Held {
    pub sender: Sender,
    /// `None` where there is none: nothing of it waits.
    room: Option<OwnedSemaphorePermit>,
}

/// The senders of one request.
#[derive(Debug)]
pub(super) struct Senders<'a> {
    asker: &'a Asker,
    peer: &'a Peer,
    room: &'a Arc<Semaphore>,
    /// All of them are looked up until then.
    until: Instant,
    /// By the pid that the resource has.
    held: HashMap<Option<u32>, Arc<Held>>,
}

impl Sender {
    /// 0 where nobody knows.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Known(known) => known.process.pid,
            Self::Pid(pid) => *pid,
            Self::Nobody => 0,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Known(known) => size_of_process(&known.process, &known.ancestry),
            Self::Pid(_) | Self::Nobody => 0,
        }
    }
}

impl Held {
    fn new(sender: Sender, room: &Arc<Semaphore>) -> Arc<Self> {
        let size = u32::try_from(sender.size()).ok();
        let room = size.and_then(|size| Arc::clone(room).try_acquire_many_owned(size).ok());
        Arc::new(Self { sender, room })
    }

    /// Whether something of it may wait.
    pub fn may_wait(&self) -> bool {
        self.room.is_some()
    }
}

impl<'a> Senders<'a> {
    pub fn new(asker: &'a Asker, peer: &'a Peer, room: &'a Arc<Semaphore>) -> Self {
        Self {
            asker,
            peer,
            room,
            until: Instant::now() + PATIENCE,
            held: HashMap::new(),
        }
    }

    /// Who sent what a resource with this pid reports. Each pid is looked up
    /// once; after a while nobody is known.
    pub async fn of(&mut self, pid: Option<u32>) -> Arc<Held> {
        if let Some(held) = self.held.get(&pid) {
            return Arc::clone(held);
        }
        let sender = match Instant::now() < self.until {
            true => timeout_at(self.until, self.look_up(pid)).await,
            false => Ok(Sender::Nobody),
        };
        let held = Held::new(sender.unwrap_or(Sender::Nobody), self.room);
        if held.may_wait() {
            self.held.insert(pid, Arc::clone(&held));
        }
        held
    }

    /// The process that the resource names, else the one that is connected.
    async fn look_up(&self, pid: Option<u32>) -> Sender {
        if let Some(pid) = pid {
            // In a container the resource has a pid that is another's here.
            let is_peer = |peer: &u32| *peer != pid && inner_pid(*peer) == Some(pid);
            let pid = self.peer.said().filter(is_peer).unwrap_or(pid);
            if let Some(known) = self.asker.process(pid).await {
                return Sender::Known(known);
            }
        }
        let alive = |pid: &u32| Path::new("/proc").join(pid.to_string()).exists();
        let Some(peer) = self.peer.pid(self.asker).await else {
            return pid.filter(alive).map_or(Sender::Nobody, Sender::Pid);
        };
        match self.asker.process(peer).await {
            Some(known) => Sender::Known(known),
            None => Sender::Pid(peer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        process::event::{Arguments, Subject},
        receiver::ask,
        units::{BootNanos, WallNanos},
    };

    fn known(bytes: usize) -> Sender {
        let args = Arguments {
            args: vec![vec![b'x'; bytes]],
            truncated: false,
        };
        let process = Subject {
            pid: 41,
            parent_pid: None,
            creation_time: WallNanos(0),
            start: BootNanos(0),
            executable_path: None,
            args: Some(Arc::new(args)),
            user_id: None,
            cgroup: None,
        };
        Sender::Known(Box::new(Described {
            process,
            services: Vec::new(),
            ancestry: Vec::new(),
        }))
    }

    #[test]
    fn who_is_held_has_a_bound() {
        let room = Arc::new(Semaphore::new(MOST_BYTES));
        let large = || Held::new(known(MOST_BYTES / 3), &room);
        let all = [large(), large(), large()];
        assert_eq!(
            all.each_ref().map(|held| held.may_wait()),
            [true, true, false]
        );
        drop(all);
        assert!(large().may_wait());
        assert!(!Held::new(known(MOST_BYTES), &room).may_wait());
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_answers_all_pids_together_take_a_while() {
        let (asker, _questions) = ask::channel().unwrap();
        let (peer, room) = (Peer::unix(None), Arc::new(Semaphore::new(0)));
        let mut senders = Senders::new(&asker, &peer, &room);
        let began = Instant::now();
        for pid in 1..1_000 {
            let held = senders.of(Some(u32::MAX - pid % 500)).await;
            assert!(matches!(held.sender, Sender::Nobody), "{held:?}");
        }
        assert!(began.elapsed() < 2 * PATIENCE);
        assert_eq!(senders.held.len(), 500);
    }
}
