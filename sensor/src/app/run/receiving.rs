//! What applications report of themselves, while the daemon runs.

use std::{io, os::fd::AsFd};

use crate::{
    config::{self, Config},
    engine::Engine,
    incident::stage::Stage,
    receiver::{self, Listeners, Questions, Received, Receiver, ask},
    wait::Waiter,
};

/// The receiver, and what it asks the engine.
pub(super) struct Receiving {
    questions: Questions,
    /// Ends when it is dropped.
    receiver: Receiver,
}

/// Binds the sockets, while there are the capabilities for it. Whatever cannot
/// be bound is no reason not to watch the host. `None` where nothing listens.
pub(super) fn bind(config: &Config) -> Option<Listeners> {
    if !config.receiver.enabled {
        return None;
    }
    if !config.incident.enabled {
        tracing::warn!(
            "nothing is received: `[incident] enabled = false` (`[receiver] enabled = true` \
             needs both)"
        );
        return None;
    }
    let (listeners, problems) = Listeners::bind(&config.receiver);
    for problem in problems {
        tracing::warn!("{problem}");
    }
    let places = listeners.places();
    if places.is_empty() {
        tracing::warn!("nothing is received: it listens nowhere");
        return None;
    }
    tracing::info!("receives OTLP on {}", places.join(", "));
    Some(listeners)
}

impl Receiving {
    /// Starts to receive; what is an incident goes to `stage`.
    pub(super) fn start(
        listeners: Listeners,
        config: &Config,
        stage: &Stage,
        waiter: &Waiter,
    ) -> io::Result<Self> {
        let (asker, questions) = ask::channel()?;
        waiter.add_questions(questions.as_fd())?;
        let receiver = Receiver::start(receiver::Config {
            listeners,
            rules: (&config.receiver).into(),
            asker,
            reporter: stage.reporter(),
        })?;
        Ok(Self {
            questions,
            receiver,
        })
    }

    /// Answers what has been asked. Never waits.
    pub(super) fn answer(&self, engine: &mut Engine) {
        self.questions.answer(engine);
    }

    /// What is an incident from now on.
    pub(super) fn follow(&self, receiver: &config::Receiver) {
        self.receiver.follow(receiver.into());
    }

    /// Receives no more; what was received in all.
    pub(super) fn finish(self) -> Received {
        self.receiver.finish()
    }

    /// What was received.
    pub(super) fn received(&self) -> Received {
        self.receiver.received()
    }
}
