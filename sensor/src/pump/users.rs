//! What users are called, for a loop that must not wait: the database of users
//! may be a directory server somewhere else, and that may be away.

use std::{
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use crate::plugin::user;

/// How long is waited for all names together in one [`PERIOD`].
const PATIENCE: Duration = Duration::from_millis(500);
/// After which a database that was slow may take as long again.
const PERIOD: Duration = Duration::from_secs(60);

/// The database of users does not say in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slow;

/// Looks up users in a thread of its own.
pub(super) struct Users {
    look_up: fn(u32) -> Option<String>,
    desk: Option<Desk>,
    /// [`PATIENCE`].
    patience: Duration,
    /// What is left of the patience, and since when it is counted.
    left: Duration,
    since: Instant,
}

struct Desk {
    asked: Sender<u32>,
    found: Receiver<(u32, Option<String>)>,
}

impl Default for Users {
    fn default() -> Self {
        Self::of(user::name_of)
    }
}

impl Users {
    fn of(look_up: fn(u32) -> Option<String>) -> Self {
        Self {
            look_up,
            desk: None,
            patience: PATIENCE,
            left: PATIENCE,
            since: Instant::now(),
        }
    }

    /// The name of a user, where it has one.
    ///
    /// # Errors
    ///
    /// Where the database does not say so in time; it may be asked again.
    pub(super) fn name_of(&mut self, id: u32) -> Result<Option<String>, Slow> {
        let start = Instant::now();
        if start - self.since >= PERIOD {
            self.since = start;
            self.left = self.patience;
        }
        if self.left.is_zero() {
            return Err(Slow);
        }
        let look_up = self.look_up;
        let desk = self.desk.get_or_insert_with(|| Desk::open(look_up));
        // Where there can be no thread the number has to do.
        desk.asked.send(id).map_err(|_| Slow)?;
        loop {
            let left = self.left.saturating_sub(start.elapsed());
            match desk.found.recv_timeout(left) {
                Ok((found, name)) if found == id => {
                    self.left = left;
                    return Ok(name);
                }
                // Of somebody who was given up.
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.left = Duration::ZERO;
        tracing::warn!(
            "the database of users is slow: groups by user have numbers for a minute \
             (see `getent passwd {id}`)"
        );
        Err(Slow)
    }
}

impl Desk {
    fn open(look_up: fn(u32) -> Option<String>) -> Self {
        let (asked, questions) = mpsc::channel();
        let (answers, found) = mpsc::channel();
        // It ends when nobody can ask any more.
        let work = move || {
            while let Ok(id) = questions.recv() {
                if answers.send((id, look_up(id))).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("users".to_owned()).spawn(work);
        if let Err(error) = started {
            tracing::warn!("groups by user have numbers: no thread to look them up: {error}");
        }
        Self { asked, found }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// With time for a machine that is busy.
    fn patient(mut users: Users) -> Users {
        users.patience = Duration::from_secs(40);
        users.left = users.patience;
        users
    }

    #[test]
    fn names_are_those_of_the_database() {
        let mut users = patient(Users::default());
        assert_eq!(users.name_of(0), Ok(Some("root".to_owned())));
        assert_eq!(users.name_of(12_345_678), Ok(None));
    }

    #[test]
    fn who_hangs_is_asked_no_more_for_a_while() {
        static GATE: Mutex<()> = Mutex::new(());
        fn look_up(id: u32) -> Option<String> {
            if id == 7 {
                drop(GATE.lock());
            }
            Some(format!("user{id}"))
        }
        let mut users = patient(Users::of(look_up));
        let name = |id| Ok(Some(format!("user{id}")));
        assert_eq!(users.name_of(5), name(5));
        let closed = GATE.lock();
        users.left = Duration::from_millis(1);
        assert_eq!(users.name_of(7), Err(Slow));
        assert_eq!(users.name_of(8), Err(Slow));
        drop(closed);
        // A minute later, with the answer to what was given up in between.
        users.since = Instant::now().checked_sub(PERIOD).unwrap();
        assert_eq!(users.name_of(9), name(9));
    }
}
