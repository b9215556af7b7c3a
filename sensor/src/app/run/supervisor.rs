//! What the service manager is told, in the words of sd_notify(3): when the
//! sensor watches, what it watches, and that it is alive.

use std::{
    io,
    time::{Duration, Instant},
};

use sd_notify::NotifyState;

use super::Daemon;

/// The service manager that started the sensor; silent where none did.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// Between two signs of life: half of what the manager waits
    /// (`WatchdogSec=`). `None`: it does not wait for any.
    beat: Option<Duration>,
    due: Option<Instant>,
}

impl Supervisor {
    /// As the environment says: NOTIFY_SOCKET, WATCHDOG_USEC.
    pub(super) fn of_environment() -> Self {
        let beat = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self { beat, due: None }
    }

    /// The sensor watches; `status` is what `systemctl status` shows.
    pub(super) fn ready(&mut self, status: &str, now: Instant) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        // Being ready again after a reload is no sign of life.
        if self.due.is_none() {
            self.due = self.beat.map(|beat| now + beat);
        }
    }

    /// Plugins are loaded again; [`Self::ready`] ends it.
    pub(super) fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now().map(|now| [NotifyState::Reloading, now]);
        match now {
            Ok(states) => tell(&states),
            Err(error) => told(&error),
        }
    }

    /// The end has begun; nobody waits for signs of life any more.
    pub(super) fn stopping(&mut self) {
        tell(&[NotifyState::Stopping]);
        self.due = None;
    }

    /// Gives a sign of life where one is due. Only the loop that does the work
    /// may call this.
    pub(super) fn beat(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            tell(&[NotifyState::Watchdog]);
            self.due = self.beat.map(|beat| now + beat);
        }
    }

    /// When the next sign of life is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Daemon {
    /// Tells the service manager that all is up, and what it is.
    pub(super) fn tell_ready(&mut self) {
        let services = self.pump.engine.specs().len();
        let how = match self.pump.kernel {
            Some(_) => "kernel events",
            None => "scans of /proc only",
        };
        let status = format!("watching {services} services, {how}");
        self.supervisor.ready(&status, Instant::now());
    }
}

/// Does nothing where no manager listens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        told(&error);
    }
}

fn told(error: &io::Error) {
    tracing::warn!("cannot tell the service manager (NOTIFY_SOCKET): {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reloads_do_not_put_off_the_next_sign_of_life() {
        let beat = Duration::from_secs(30);
        let mut supervisor = Supervisor {
            beat: Some(beat),
            due: None,
        };
        let start = Instant::now();
        for seconds in [0, 25, 29] {
            supervisor.ready("watching", start + Duration::from_secs(seconds));
            assert_eq!(supervisor.due(), Some(start + beat));
        }
        supervisor.beat(start + beat);
        assert_eq!(supervisor.due(), Some(start + 2 * beat));
        supervisor.stopping();
        assert_eq!(supervisor.due(), None);
    }
}
