//! Who takes over which id of the framework.

use std::{cmp::Reverse, collections::HashMap};

use uuid::Uuid;

use super::super::{Known, records::LegacyService};
use crate::plugin::sanitize;

/// A service that may take over an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant<'a> {
    /// The sanitized name of the service.
    pub service_id: &'a str,
    /// The name of its plugin.
    pub plugin: &'a str,
}

impl Known {
    /// `host.id` of the host of this name, where it was ever seen with one, by
    /// the sensor or by the framework.
    #[must_use]
    pub fn host_id(&self, host_name: &str) -> Option<&str> {
        let own = self.hosts.iter().find(|(name, _)| name == host_name);
        let own = own.map(|(_, host)| host.id.as_str());
        own.filter(|id| !id.is_empty())
            .or_else(|| self.legacy_host(host_name))
    }

    /// The row of the framework for a host; the one seen last, where there are
    /// several.
    fn legacy_host(&self, host_name: &str) -> Option<&str> {
        let rows = self.legacy_hosts.iter();
        rows.filter(|(_, host)| host.host_name == host_name)
            .max_by_key(|(_, host)| host.last_seen_ns)
            .map(|(id, _)| id.as_str())
    }

    /// The ids that `services`, all there are, take over from the framework,
    /// by `service_id` (contract Q3): a row goes to the service of its name,
    /// else to the one service of the plugin of its name. Of several rows of a
    /// name the one of this host goes first, then the one seen last. Rows that
    /// nobody takes, and those whose id is no UUID, stay.
    #[must_use]
    pub fn legacy_ids<'a>(
        &self,
        host_name: &str,
        services: &[Claimant<'a>],
    ) -> HashMap<&'a str, Uuid> {
        let host = self.legacy_host(host_name);
        let mut rows: HashMap<String, (Rank, Uuid)> = HashMap::new();
        for (id, service) in &self.legacy_services {
            let Ok(uuid) = Uuid::parse_str(id) else {
                continue;
            };
            let rank = rank(service, host);
            let best = rows.entry(sanitize(&service.full_name));
            let best = best.or_insert((rank, uuid));
            *best = (*best).min((rank, uuid));
        }
        let mut ids = HashMap::new();
        for service in services {
            if let Some((_, id)) = rows.remove(service.service_id) {
                ids.insert(service.service_id, id);
            }
        }
        let mut of_plugin: HashMap<&str, usize> = HashMap::new();
        for service in services {
            *of_plugin.entry(service.plugin).or_default() += 1;
        }
        for service in services {
            if of_plugin.get(service.plugin) == Some(&1)
                && !ids.contains_key(service.service_id)
                && let Some((_, id)) = rows.remove(&sanitize(service.plugin))
            {
                ids.insert(service.service_id, id);
            }
        }
        ids
    }
}

/// The least goes first.
type Rank = (bool, Reverse<u64>);

fn rank(service: &LegacyService, host: Option<&str>) -> Rank {
    let is_other = host != Some(service.host_id.as_str());
    (is_other, Reverse(service.last_seen_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::LegacyHost;

    fn known(rows: &[(&str, u128, &str, u64)]) -> Known {
        let services = rows.iter().map(|&(full_name, id, host, last_seen_ns)| {
            let service = LegacyService {
                full_name: full_name.to_owned(),
                host_id: host.to_owned(),
                last_seen_ns,
                ..LegacyService::default()
            };
            (Uuid::from_u128(id).to_string(), service)
        });
        let host = LegacyHost {
            host_name: "till-3".to_owned(),
            ..LegacyHost::default()
        };
        Known {
            legacy_services: services.collect(),
            legacy_hosts: vec![("h".to_owned(), host)],
            ..Known::default()
        }
    }

    fn claims(known: &Known, services: &[(&'static str, &'static str)]) -> Vec<(String, u128)> {
        let claimants: Vec<_> = services
            .iter()
            .map(|&(service_id, plugin)| Claimant { service_id, plugin })
            .collect();
        let ids = known.legacy_ids("till-3", &claimants);
        let mut ids: Vec<_> = ids
            .into_iter()
            .map(|(service, id)| (service.to_owned(), id.as_u128()))
            .collect();
        ids.sort();
        ids
    }

    #[test]
    fn a_row_goes_to_the_service_of_its_name_else_to_the_plugin_with_one_service() {
        let known = known(&[("m8mulprc", 1, "h", 1), ("till", 2, "h", 1)]);
        let of = |services: &[_]| claims(&known, services);
        let is = |service: &str, id| (service.to_owned(), id);
        assert_eq!(
            of(&[("strategy_m8mulprc", "m8mulprc")]),
            [is("strategy_m8mulprc", 1)]
        );
        assert_eq!(of(&[("m8mulprc", "other")]), [is("m8mulprc", 1)]);
        // The plugin has two services; nobody can tell which it was.
        assert_eq!(of(&[("a", "till"), ("b", "till")]), []);
        // The name of a service goes before the name of a plugin, in any order.
        assert_eq!(of(&[("a", "till"), ("till", "b")]), [is("till", 2)]);
        assert_eq!(of(&[("till", "b"), ("a", "till")]), [is("till", 2)]);
        assert_eq!(of(&[("a", "Till")]), [is("a", 2)]);
        assert_eq!(of(&[("a", "b")]), []);
    }

    #[test]
    fn of_several_rows_that_of_this_host_goes_first_then_the_newest() {
        let rows = [
            ("till", 1, "g", 9),
            ("till", 2, "h", 1),
            ("till", 3, "h", 2),
        ];
        let of = |rows: &[_]| claims(&known(rows), &[("till", "till")])[0].1;
        assert_eq!(of(&rows), 3);
        assert_eq!(of(&rows[..2]), 2);
        assert_eq!(of(&rows[..1]), 1);
    }

    #[test]
    fn an_id_that_is_no_uuid_stays() {
        let mut known = known(&[("till", 1, "h", 1)]);
        known.legacy_services[0].0 = "7".to_owned();
        assert_eq!(claims(&known, &[("till", "till")]), []);
        assert_eq!(known.host_id("till-3"), Some("h"));
        assert_eq!(known.host_id("till-4"), None);
    }
}
