//! Services of before a restart, and what survives the next one.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Entry, Registry, Spec};
use crate::{
    aggregate::{report::ServiceIdentity, service::Saved},
    plugin::GroupBy,
    units::WallNanos,
};

/// What tells a service, or a group of it, from all others: namespace, name
/// and group.
pub type Identifier = (String, String, Option<String>);

/// A service of before the start.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// `service.instance.id`.
    pub instance_id: Option<Uuid>,
    /// Where its series go on.
    pub saved: Option<Saved>,
}

impl Registry {
    /// Takes in the services of before the start. Those that are declared
    /// still are there at once, so that one that does not come back is told
    /// as 0; of groups those that had members, so that the dead do not keep
    /// the living out.
    pub fn remember(&mut self, remembered: HashMap<Identifier, Remembered>, now: WallNanos) {
        let mut there: Vec<_> = remembered
            .iter()
            .filter(|((_, _, group), known)| {
                let lived = |saved: &Saved| !saved.members.is_empty();
                group.is_none() || known.saved.as_ref().is_some_and(lived)
            })
            .map(|(identifier, _)| identifier.clone())
            .collect();
        there.sort();
        self.remembered = remembered;
        for (namespace, name, group) in there {
            let is_of = |spec: &Spec| {
                spec.namespace == namespace
                    && (spec.group_by == GroupBy::None) == group.is_none()
                    && spec.name.of_group(group.as_deref().unwrap_or_default()) == name
            };
            if let Some(index) = self.specs.iter().position(is_of)
                && self.groups[index].by_name.len() < self.specs[index].max_groups.max(1)
            {
                self.make(index, group, now);
            }
        }
    }

    /// Takes in ids of services that are still to come; who is there, or was
    /// before the start, keeps the id that it has.
    pub fn remember_ids(&mut self, ids: Vec<(Identifier, Uuid)>) {
        for (identifier, id) in ids {
            let (namespace, name, group) = &identifier;
            let is_there = self.services.values().any(|entry| {
                let identity = &entry.service.identity;
                (&identity.namespace, &identity.name, &identity.group) == (namespace, name, group)
            });
            if !is_there {
                let known = self.remembered.entry(identifier).or_default();
                known.instance_id.get_or_insert(id);
            }
        }
    }

    /// What of every service survives a restart; those that nobody asked for
    /// are in the store already.
    #[must_use]
    pub fn saved(&self) -> Vec<(Identifier, Saved)> {
        let of = |entry: &Entry| {
            let identity = &entry.service.identity;
            let (namespace, name) = (identity.namespace.clone(), identity.name.clone());
            let identifier = (namespace, name, identity.group.clone());
            (identifier, entry.service.saved())
        };
        self.services.values().map(of).collect()
    }

    /// Members of before the start that have not been found by now have ended.
    pub fn await_no_more(&mut self) {
        for entry in self.services.values_mut() {
            entry.service.await_no_more();
        }
    }

    pub(super) fn remembered_as<T>(
        &mut self,
        identity: &ServiceIdentity,
        part: impl FnOnce(&mut Remembered) -> Option<T>,
    ) -> Option<T> {
        let (namespace, name) = (identity.namespace.clone(), identity.name.clone());
        let known = self
            .remembered
            .get_mut(&(namespace, name, identity.group.clone()))?;
        part(known)
    }
}
