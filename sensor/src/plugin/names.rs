//! Names of services as identifiers and as people read them.

/// The identifier of a name: lower case `[a-z][a-z0-9_]*`, what the Python
/// framework stored (plugins.md, "Sanitizing names").
#[must_use]
pub fn sanitize(name: &str) -> String {
    let mut id = String::with_capacity(name.len());
    for c in name.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            id.push(c);
        } else if !id.is_empty() && !id.ends_with('_') {
            id.push('_');
        }
    }
    if id.ends_with('_') {
        id.pop();
    }
    match id.chars().next() {
        None => "unknown".to_owned(),
        Some(first) if first.is_ascii_lowercase() => id,
        Some(_) => format!("metric_{id}"),
    }
}

/// A name for people: `_` and `.` become blanks, each word is capitalized,
/// and `cpu` becomes `CPU`.
#[must_use]
pub fn display_name(name: &str) -> String {
    let words = name
        .split(['_', '.', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| {
            if word.eq_ignore_ascii_case("cpu") {
                return "CPU".to_owned();
            }
            let mut rest = word.chars();
            let first = rest.next().into_iter().flat_map(char::to_uppercase);
            first.chain(rest.as_str().to_lowercase().chars()).collect()
        });
    words.collect::<Vec<String>>().join(" ")
}

/// The name of a plugin's environment variable: `my-app` and `INTERVAL` give
/// `MY_APP_INTERVAL`.
#[must_use]
pub fn variable_name(plugin: &str, suffix: &str) -> String {
    let prefix = plugin.to_uppercase();
    let prefix = prefix.chars().map(|c| match c {
        'A'..='Z' | '0'..='9' => c,
        _ => '_',
    });
    prefix.chain("_".chars()).chain(suffix.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_stored_and_shown_as_by_the_framework() {
        for (input, stored, display) in [
            (
                "Strategy₿.M8MulPrc",
                "strategy_m8mulprc",
                "Strategy M8mulprc",
            ),
            (
                "MyCompany@WebServer.v2",
                "mycompany_webserver_v2",
                "Mycompany Webserver V2",
            ),
            (
                "Service-Name With Spaces!",
                "service_name_with_spaces",
                "Service Name With Spaces",
            ),
            (
                "123numeric-start",
                "metric_123numeric_start",
                "Metric 123numeric Start",
            ),
            (
                "MyCompany.WebServer",
                "mycompany_webserver",
                "Mycompany Webserver",
            ),
            ("Café@Résumé", "caf_r_sum", "Caf R Sum"),
            ("192.168.1.1", "metric_192_168_1_1", "Metric 192 168 1 1"),
            (
                "___leading_trailing___",
                "leading_trailing",
                "Leading Trailing",
            ),
            ("_____", "unknown", "Unknown"),
            ("", "unknown", "Unknown"),
            ("₿", "unknown", "Unknown"),
            ("a__b--c", "a_b_c", "A B C"),
            // The Kelvin sign is a `k` in lower case.
            ("\u{212a}elvin", "kelvin", "Kelvin"),
        ] {
            assert_eq!(sanitize(input), stored, "{input}");
            assert_eq!(display_name(stored), display, "{input}");
        }
    }

    #[test]
    fn display_names_of_metrics() {
        for (input, display) in [
            ("cpu_usage", "CPU Usage"),
            ("disk_read_bytes", "Disk Read Bytes"),
            ("memory_rss_total", "Memory Rss Total"),
            ("cpu_core_15", "CPU Core 15"),
            ("cpu1", "Cpu1"),
            ("a.b", "A B"),
            ("RSS", "Rss"),
            ("élan", "Élan"),
            ("", ""),
        ] {
            assert_eq!(display_name(input), display, "{input}");
        }
    }

    #[test]
    fn variables_are_named_by_their_plugin() {
        for (plugin, name) in [
            ("myapp", "MYAPP_INTERVAL"),
            ("my-app.2", "MY_APP_2_INTERVAL"),
            ("é", "__INTERVAL"),
        ] {
            assert_eq!(variable_name(plugin, "INTERVAL"), name);
        }
    }

    proptest! {
        #[test]
        fn an_identifier_is_one_and_stays(name in ".*") {
            let id = sanitize(&name);
            prop_assert!(id.starts_with(|c: char| c.is_ascii_lowercase()));
            prop_assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            prop_assert!(!id.contains("__") && !id.ends_with('_'));
            prop_assert_eq!(sanitize(&id), id);
        }
    }
}
