//! All patterns on one kind of string, compiled into one automaton.

use std::sync::{Arc, Mutex};

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::Plugin;
use super::cache::{Answer, Cache};
use super::matcher::{MatcherError, ServiceIndex};
use crate::config::check_pattern;

/// Memory of one compiled set, bytes; where it is not enough, the set is halved.
const SET_BYTES: usize = 16 << 20;

/// All patterns on one kind of string.
#[derive(Debug)]
pub(super) struct Kind {
    /// Services that every string matches: no automaton is asked for them.
    pub(super) always: Vec<(usize, ServiceIndex)>,
    pub(super) sets: Vec<(RegexSet, Vec<Role>)>,
    pub(super) cache: Mutex<Cache>,
}

/// What it means that a pattern matches; the number is the plugin's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Include(usize, ServiceIndex),
    Exclude(usize),
}

impl Kind {
    pub(super) fn is_used(&self) -> bool {
        !self.always.is_empty() || !self.sets.is_empty()
    }

    /// Adds the services that match, and the plugins that exclude the string.
    pub(super) fn matches(
        &self,
        text: &[u8],
        out: &mut Vec<ServiceIndex>,
        excluded: &mut Vec<usize>,
    ) {
        if self.sets.is_empty() {
            out.extend(self.always.iter().map(|&(_, index)| index));
            return;
        }
        // Where another thread has the cache, searching is cheaper than waiting.
        let mut cache = self.cache.try_lock().ok();
        let known = cache.as_mut().and_then(|cache| cache.get(text));
        let answer = known.unwrap_or_else(|| {
            let answer = Arc::new(self.search(text));
            if let Some(mut cache) = cache {
                cache.put(text, &answer);
            }
            answer
        });
        out.extend_from_slice(&answer.services);
        excluded.extend_from_slice(&answer.excluded);
    }

    fn search(&self, text: &[u8]) -> Answer {
        let mut found = self.always.clone();
        let mut excluded = Vec::new();
        for (set, roles) in &self.sets {
            // Most processes match nothing, and that is known without a list.
            if !set.is_match(text) {
                continue;
            }
            for position in &set.matches(text) {
                match roles[position] {
                    Role::Include(plugin, index) => found.push((plugin, index)),
                    Role::Exclude(plugin) => excluded.push(plugin),
                }
            }
        }
        found.retain(|(plugin, _)| !excluded.contains(plugin));
        Answer {
            services: found.into_iter().map(|(_, index)| index).collect(),
            excluded: excluded.into(),
        }
    }
}

#[derive(Default)]
pub(super) struct Builder {
    always: Vec<(usize, ServiceIndex)>,
    patterns: Vec<(String, Role)>,
}

impl Builder {
    pub(super) fn include(
        &mut self,
        plugin: &Plugin,
        plugin_index: usize,
        pattern: &str,
        index: u32,
    ) -> Result<(), MatcherError> {
        let index = ServiceIndex(index);
        if pattern == ".*" {
            self.always.push((plugin_index, index));
            return Ok(());
        }
        self.push(plugin, pattern, Role::Include(plugin_index, index))
    }

    pub(super) fn exclude(
        &mut self,
        plugin: &Plugin,
        plugin_index: usize,
    ) -> Result<(), MatcherError> {
        plugin
            .exclude
            .iter()
            .try_for_each(|pattern| self.push(plugin, pattern, Role::Exclude(plugin_index)))
    }

    fn push(&mut self, plugin: &Plugin, pattern: &str, role: Role) -> Result<(), MatcherError> {
        checked(plugin, pattern)?;
        self.patterns.push((pattern.to_owned(), role));
        Ok(())
    }

    pub(super) fn build(self) -> Result<Kind, MatcherError> {
        let mut sets = Vec::new();
        if !self.patterns.is_empty() {
            compile(&self.patterns, SET_BYTES, &mut sets)?;
        }
        Ok(Kind {
            always: self.always,
            sets,
            cache: Mutex::default(),
        })
    }
}

pub(super) fn checked(plugin: &Plugin, pattern: &str) -> Result<(), MatcherError> {
    check_pattern(pattern).map_err(|message| MatcherError::Pattern {
        plugin: plugin.name.clone(),
        message,
    })
}

/// Compiles the patterns into one set, or into several where one would be
/// too large.
pub(super) fn compile(
    patterns: &[(String, Role)],
    limit: usize,
    sets: &mut Vec<(RegexSet, Vec<Role>)>,
) -> Result<(), MatcherError> {
    let texts = patterns.iter().map(|(pattern, _)| pattern);
    let set = RegexSetBuilder::new(texts)
        .case_insensitive(true)
        .size_limit(limit)
        .build();
    match set {
        Ok(set) => {
            let roles = patterns.iter().map(|(_, role)| *role).collect();
            sets.push((set, roles));
            Ok(())
        }
        Err(regex::Error::CompiledTooBig(_)) if patterns.len() > 1 => {
            let (left, right) = patterns.split_at(patterns.len() / 2);
            compile(left, limit, sets)?;
            compile(right, limit, sets)
        }
        Err(error) => Err(error.into()),
    }
}
