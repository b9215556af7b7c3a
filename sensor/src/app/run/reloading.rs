//! Other plugins while the daemon runs.

use std::{io, os::fd::AsFd};

use super::{Daemon, follow_scheduler, follow_tap, intervals};
use crate::{
    app::{incidents, reload::Plugins, setup},
    config::Config,
    engine::reload::Reload,
    plugin::{Matcher, carried},
    process::event::ProcessEvent,
    wait::Waiter,
    watch::Watch,
};

/// Why plugins are loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody asked for it.
    Signal,
    /// Their files changed.
    Files,
}

/// Watches the plugins. Without it, SIGHUP is left.
pub(super) fn watch(plugins: &Plugins, waiter: &Waiter) -> Option<Watch> {
    let watch = Watch::new().and_then(|mut watch| {
        watch_all(&mut watch, plugins)?;
        waiter.add_files(watch.as_fd())?;
        Ok(watch)
    });
    let told = |error: &io::Error| {
        tracing::warn!(
            "changes of plugins are not seen by themselves, only with SIGHUP: {error} \
             (see fs.inotify.max_user_instances and max_user_watches)"
        );
    };
    watch.inspect_err(told).ok()
}

fn watch_all(watch: &mut Watch, plugins: &Plugins) -> io::Result<()> {
    let files = [plugins.config_file().to_owned()];
    watch.watch(plugins.dirs(), &files)
}

impl Daemon {
    /// Loads the plugins again and goes on with them.
    pub(super) fn reload(
        &mut self,
        cause: Cause,
        events: &mut Vec<ProcessEvent>,
    ) -> io::Result<()> {
        let being_written = match (&self.watch, cause) {
            (Some(watch), Cause::Files) => watch.being_written(),
            _ => Vec::new(),
        };
        let changed = self.plugins.reload(&being_written);
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch_all(watch, &self.plugins)
        {
            tracing::warn!("cannot watch all plugins: {error}");
        }
        let Some(before) = changed else {
            match cause {
                Cause::Signal if self.plugins.is_broken() => {
                    tracing::info!("SIGHUP: nothing has changed; what is wrong was said before")
                }
                Cause::Signal => tracing::info!("SIGHUP: nothing has changed"),
                Cause::Files => {}
            }
            return Ok(());
        };
        let matcher = match Matcher::new(self.plugins.current(), std::process::id()) {
            Ok(matcher) => matcher,
            Err(error) => {
                tracing::error!("all plugins go on as they were: {error}");
                self.plugins.undo(before);
                return Ok(());
            }
        };
        let plugins = self.plugins.current();
        let wanted = setup::wanted(&matcher, plugins, &self.wish);
        let reload = Reload {
            matcher,
            specs: setup::specs(plugins, self.plugins.config(), self.wish.interval),
            carried: carried(&before.current, plugins),
        };
        let services = reload.carried.clone();
        let claimed = self.unclaimed.claim(&reload.specs);
        self.pump.engine.registry().remember_ids(claimed);
        self.collecting.look_at_all(&mut self.pump, events);
        let now = self.collecting.now();
        let report = self.pump.reload(reload, wanted, now, events);
        follow_scheduler(&mut self.pump);
        follow_tap(&mut self.pump);
        self.collecting.reload(&intervals(&self.pump), &services);
        self.follow_incidents(&before.config);
        match self.plugins.changes(&before) {
            line if line.is_empty() => tracing::info!("reloaded: the configuration has changed"),
            line => tracing::info!("plugins reloaded: {line}"),
        }
        self.publish(events);
        if report.services.is_empty() {
            return Ok(());
        }
        self.report(&report)
    }

    /// What is an incident from now on.
    fn follow_incidents(&self, before: &Config) {
        let config = self.plugins.config();
        if let Some(receiving) = &self.receiving
            && config.receiver != before.receiver
        {
            receiving.follow(&config.receiver);
        }
        let Some(stage) = &self.mourning else {
            return;
        };
        stage.follow(incidents::paths(self.pump.engine.specs()));
        if config.log_formats == before.log_formats {
            return;
        }
        match setup::formats(config) {
            Ok(formats) => stage.know(formats),
            Err(stop) => tracing::error!(
                "the formats of logs stay as they were: {}",
                stop.lines.join("; ")
            ),
        }
    }
}
