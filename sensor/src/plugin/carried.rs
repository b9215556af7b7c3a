//! What becomes of services when plugins are loaded again.

use super::matcher::ServiceIndex;
use super::{Plugin, ServiceSpec};

/// Where a service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Its place before; `None`: it is new. One that is carried over goes on
    /// counting.
    pub from: Option<ServiceIndex>,
    /// Members are recognised as before: who is one need not be asked again.
    pub same_rule: bool,
}

/// Compares two sets of plugins; one answer for each service of the `new`
/// ones, in their order.
#[must_use]
pub fn carried(old: &[Plugin], new: &[Plugin]) -> Vec<Carried> {
    let services = |plugins: &'_ [Plugin]| -> Vec<(usize, usize)> {
        let places = plugins.iter().enumerate();
        places
            .flat_map(|(plugin, of)| (0..of.services.len()).map(move |service| (plugin, service)))
            .collect()
    };
    let old_places = services(old);
    services(new)
        .into_iter()
        .map(|(plugin, service)| {
            let (plugin, service) = (&new[plugin], &new[plugin].services[service]);
            let from = old_places.iter().position(|&(of, at)| {
                is_same((&old[of], &old[of].services[at]), (plugin, service))
            });
            let same_rule = from.is_some_and(|from| {
                let (of, at) = old_places[from];
                has_same_rule((&old[of], &old[of].services[at]), (plugin, service))
            });
            Carried {
                from: from.and_then(|from| u32::try_from(from).ok().map(ServiceIndex)),
                same_rule,
            }
        })
        .collect()
}

/// Whether it is the same service: its series go on.
fn is_same(old: (&Plugin, &ServiceSpec), new: (&Plugin, &ServiceSpec)) -> bool {
    old.0.name == new.0.name
        && old.0.group_by == new.0.group_by
        && old.1.name == new.1.name
        && old.1.namespace == new.1.namespace
}

fn has_same_rule(old: (&Plugin, &ServiceSpec), new: (&Plugin, &ServiceSpec)) -> bool {
    let rule = |plugin: &Plugin| {
        (
            plugin.enabled,
            plugin.match_on,
            plugin.include_descendants,
            plugin.user.clone(),
            plugin.cgroup.clone(),
            plugin.exclude.clone(),
        )
    };
    old.1.pattern == new.1.pattern && rule(old.0) == rule(new.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{GroupBy, MatchOn};

    fn plugin(name: &str) -> Plugin {
        Plugin {
            name: name.to_owned(),
            ..Plugin::host()
        }
    }

    #[test]
    fn a_service_goes_on_while_its_name_stays() {
        let old = [plugin("a"), plugin("b")];
        let index = |place| Some(ServiceIndex(place));
        let one = |new: Plugin| carried(&old, &[new])[0];
        let same = Carried {
            from: index(1),
            same_rule: true,
        };
        assert_eq!(one(plugin("b")), same);
        let changed = Carried {
            same_rule: false,
            ..same
        };
        for other in [
            Plugin {
                exclude: vec!["x".to_owned()],
                ..plugin("b")
            },
            Plugin {
                user: Some("root".to_owned()),
                ..plugin("b")
            },
            Plugin {
                cgroup: Some("x".to_owned()),
                ..plugin("b")
            },
            Plugin {
                match_on: MatchOn::Exe,
                ..plugin("b")
            },
            Plugin {
                include_descendants: true,
                ..plugin("b")
            },
        ] {
            assert_eq!(one(other), changed);
        }
        let mut other = plugin("b");
        other.services[0].pattern = "x".to_owned();
        assert_eq!(one(other), changed);
        let quiet = Plugin {
            version: Some("2".to_owned()),
            events_enabled: true,
            max_groups: 3,
            ..plugin("b")
        };
        assert_eq!(one(quiet), same);
        for other in [
            plugin("c"),
            Plugin {
                group_by: GroupBy::User,
                ..plugin("b")
            },
        ] {
            assert_eq!(one(other).from, None);
        }
    }
}
