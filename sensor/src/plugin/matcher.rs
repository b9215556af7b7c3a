//! Which services a process belongs to, by its name, executable or arguments.
//!
//! All patterns on one kind of string are one automaton: a process is
//! searched once, however many plugins there are, in time linear in the
//! string. Whether a forked child without exec inherits its parent's services
//! is the caller's to decide; who descends from a member comes in with the
//! candidate.

use std::borrow::Cow;

use regex::bytes::Regex;

use super::cache::CacheUse;
use super::patterns::{Builder, Kind, checked};
use super::{MatchOn, Plugin, user};
use crate::config::compile_pattern;

/// `comm` is cut at this length (include/linux/sched.h, TASK_COMM_LEN - 1).
const COMM_BYTES: usize = 15;
/// What the kernel puts behind the path of an executable that was removed.
const DELETED: &[u8] = b" (deleted)";

/// A service of a matcher: counted through all plugins that it was made of,
/// switched-off ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIndex(pub u32);

/// What is known of a process. `None` is unknown, and a pattern on it then
/// does not match.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidate<'a> {
    /// Thread group id.
    pub pid: u32,
    /// `comm`, up to 15 bytes, without a trailing NUL.
    pub comm: &'a [u8],
    /// The first argument; looked at only where `comm` has 15 bytes.
    pub argv0: Option<&'a [u8]>,
    /// Path of the executable; ` (deleted)` at its end is passed over.
    pub exe: Option<&'a [u8]>,
    /// All arguments.
    pub args: Option<Args<'a>>,
    /// Effective user id.
    pub user: Option<u32>,
    /// Path of its cgroup in the v2 hierarchy.
    pub cgroup: Option<&'a [u8]>,
    /// Services of which an ancestor was a member, where these take in
    /// descendants: it belongs to them whatever it is called.
    pub lineage: &'a [ServiceIndex],
}

/// The arguments of a process, in either form that they come in.
#[derive(Debug, Clone, Copy)]
pub enum Args<'a> {
    /// As in `/proc/PID/cmdline`: each with a NUL behind it (the last one's
    /// may be missing).
    NulSeparated(&'a [u8]),
    /// One by one.
    List(&'a [&'a [u8]]),
}

/// What a matcher looks at, so that a scan reads no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// `comm`, and where that has 15 bytes `argv0` and `exe`.
    pub name: bool,
    /// `exe`.
    pub exe: bool,
    /// `args`.
    pub cmdline: bool,
    /// `user`.
    pub user: bool,
    /// `cgroup`.
    pub cgroup: bool,
}

/// A plugin that [`super::load`] would have rejected.
#[derive(Debug, thiserror::Error)]
pub enum MatcherError {
    /// A pattern or exclusion is not a usable regular expression.
    #[error("plugin `{plugin}`: {message}")]
    Pattern {
        /// Name of the plugin.
        plugin: String,
        /// What is wrong with the pattern.
        message: String,
    },
    /// `[match] user` names nobody.
    #[error("plugin `{plugin}`: {source}")]
    User {
        /// Name of the plugin.
        plugin: String,
        /// Who is not there.
        source: user::UnknownUser,
    },
    /// The patterns do not compile together.
    #[error("the patterns of all plugins do not compile; shorten or remove some")]
    Compile(#[from] regex::Error),
    /// More services than can be counted.
    #[error("more than {} services", u32::MAX)]
    TooMany,
}

/// All patterns of all plugins.
#[derive(Debug)]
pub struct Matcher {
    own_pid: u32,
    kinds: [Kind; 3],
    services: Vec<Service>,
    /// What must hold besides the pattern, by plugin.
    limits: Vec<Limits>,
    any_descends: bool,
}

#[derive(Debug)]
struct Service {
    plugin: usize,
    service: usize,
    /// The plugin asks for the sensor itself.
    names_sensor: bool,
    /// Descendants of members are members.
    descends: bool,
}

/// What must hold of a process besides the pattern.
#[derive(Debug, Default)]
struct Limits {
    user: Option<u32>,
    cgroup: Option<Regex>,
}

impl Matcher {
    /// Compiles the patterns of all plugins that are switched on. `own_pid`
    /// is the sensor's own, which only a plugin matches that names it.
    ///
    /// # Errors
    /// A pattern that does not compile or a user who does not exist;
    /// [`super::load`] lets none through.
    pub fn new(plugins: &[Plugin], own_pid: u32) -> Result<Self, MatcherError> {
        let mut builders: [Builder; 3] = Default::default();
        let mut services = Vec::new();
        let mut limits = Vec::new();
        for (plugin_index, plugin) in plugins.iter().enumerate() {
            let builder = &mut builders[slot(plugin.match_on)];
            for (service_index, service) in plugin.services.iter().enumerate() {
                let index = u32::try_from(services.len()).map_err(|_| MatcherError::TooMany)?;
                if plugin.enabled {
                    builder.include(plugin, plugin_index, &service.pattern, index)?;
                }
                services.push(Service {
                    plugin: plugin_index,
                    service: service_index,
                    names_sensor: names_sensor(&service.pattern),
                    descends: plugin.include_descendants,
                });
            }
            limits.push(Limits::of(plugin)?);
            if plugin.enabled {
                builder.exclude(plugin, plugin_index)?;
            }
        }
        let [name, exe, cmdline] = builders.map(Builder::build);
        Ok(Self {
            own_pid,
            any_descends: services.iter().any(|service| service.descends),
            kinds: [name?, exe?, cmdline?],
            services,
            limits,
        })
    }

    /// What is remembered of strings that were matched before.
    #[must_use]
    pub fn cached(&self) -> CacheUse {
        let mut sum = CacheUse::default();
        for kind in &self.kinds {
            if let Ok(cache) = kind.cache.lock() {
                cache.add_to(&mut sum);
            }
        }
        sum
    }

    /// Puts the services that a process belongs to into `out`, in ascending
    /// order; what was in it before is removed.
    pub fn matches(&self, candidate: &Candidate<'_>, out: &mut Vec<ServiceIndex>) {
        out.clear();
        let [name, exe, cmdline] = &self.kinds;
        let mut excluded = Vec::new();
        if name.is_used() {
            let text = process_name(candidate.comm, candidate.argv0, candidate.exe);
            name.matches(text, out, &mut excluded);
        }
        if let Some(path) = candidate.exe.filter(|_| exe.is_used()) {
            exe.matches(without_deleted(path), out, &mut excluded);
        }
        if let Some(args) = candidate.args.filter(|_| cmdline.is_used()) {
            cmdline.matches(&args.joined(), out, &mut excluded);
        }
        out.extend(candidate.lineage.iter().filter(|&&index| {
            let service = self.service(index);
            service.is_some_and(|service| !excluded.contains(&service.plugin))
        }));
        if !out.is_empty() {
            out.retain(|&index| self.admits(index, candidate));
            out.sort_unstable();
            out.dedup();
        }
    }

    /// Whether a process may be a member, its name aside.
    fn admits(&self, index: ServiceIndex, candidate: &Candidate<'_>) -> bool {
        let Some(service) = self.service(index) else {
            return false;
        };
        (service.names_sensor || candidate.pid != self.own_pid)
            && self.limits[service.plugin].admit(candidate)
    }

    /// Whether descendants of a member are members, too.
    #[must_use]
    pub fn descends(&self, index: ServiceIndex) -> bool {
        self.service(index).is_some_and(|service| service.descends)
    }

    /// Whether any service takes in descendants.
    #[must_use]
    pub fn any_descends(&self) -> bool {
        self.any_descends
    }

    /// What a process must be described by.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let [name, exe, cmdline] = &self.kinds;
        Needs {
            name: name.is_used(),
            exe: exe.is_used(),
            cmdline: cmdline.is_used(),
            user: self.limits.iter().any(|limits| limits.user.is_some()),
            cgroup: self.limits.iter().any(|limits| limits.cgroup.is_some()),
        }
    }

    /// Positions of a service: of its plugin in the slice that the matcher
    /// was made of, and in that plugin's services.
    #[must_use]
    pub fn position(&self, index: ServiceIndex) -> Option<(usize, usize)> {
        self.service(index)
            .map(|found| (found.plugin, found.service))
    }

    /// Every service with its positions, switched-off plugins included.
    pub fn services(&self) -> impl Iterator<Item = (ServiceIndex, usize, usize)> {
        let counted = (0..).map(ServiceIndex).zip(&self.services);
        counted.map(|(index, found)| (index, found.plugin, found.service))
    }

    fn service(&self, index: ServiceIndex) -> Option<&Service> {
        self.services.get(usize::try_from(index.0).ok()?)
    }
}

impl Limits {
    /// Those of a plugin; one that is switched off is not asked about them.
    fn of(plugin: &Plugin) -> Result<Self, MatcherError> {
        if !plugin.enabled {
            return Ok(Self::default());
        }
        let user = plugin.user.as_deref().map(user::id_of).transpose();
        let cgroup = plugin.cgroup.as_deref();
        cgroup.map_or(Ok(()), |pattern| checked(plugin, pattern))?;
        Ok(Self {
            user: user.map_err(|source| MatcherError::User {
                plugin: plugin.name.clone(),
                source,
            })?,
            cgroup: cgroup.map(compile_pattern).transpose()?,
        })
    }

    /// What is unknown does not match.
    fn admit(&self, candidate: &Candidate<'_>) -> bool {
        let user = self.user.is_none_or(|user| candidate.user == Some(user));
        let cgroup = |pattern: &Regex| candidate.cgroup.is_some_and(|path| pattern.is_match(path));
        user && self.cgroup.as_ref().is_none_or(cgroup)
    }
}

/// The name of a process: `comm`, and where that is cut and the basename of
/// `argv0` (or else of the executable) starts with it, that basename.
#[must_use]
pub fn process_name<'a>(
    comm: &'a [u8],
    argv0: Option<&'a [u8]>,
    exe: Option<&'a [u8]>,
) -> &'a [u8] {
    if comm.len() != COMM_BYTES {
        return comm;
    }
    let longer = [argv0, exe.map(without_deleted)]
        .into_iter()
        .flatten()
        .map(basename)
        .find(|name| name.starts_with(comm));
    longer.unwrap_or(comm)
}

impl<'a> Args<'a> {
    /// The arguments with a blank between each two (contract S13).
    fn joined(&self) -> Cow<'a, [u8]> {
        match self {
            Self::List(list) => Cow::Owned(list.join(&b' ')),
            Self::NulSeparated(bytes) => {
                let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
                if !bytes.contains(&0) {
                    return Cow::Borrowed(bytes);
                }
                let blank = |&byte: &u8| if byte == 0 { b' ' } else { byte };
                Cow::Owned(bytes.iter().map(blank).collect())
            }
        }
    }
}

fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

fn without_deleted(path: &[u8]) -> &[u8] {
    path.strip_suffix(DELETED).unwrap_or(path)
}

fn names_sensor(pattern: &str) -> bool {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    pattern.eq_ignore_ascii_case("sensor")
}

fn slot(on: MatchOn) -> usize {
    match on {
        MatchOn::Name => 0,
        MatchOn::Exe => 1,
        MatchOn::Cmdline => 2,
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
