//! What the exported data says about the host and about the sensor itself.

use std::{fs, path::Path};

use uuid::Uuid;

/// Where the host's identity lives: systemd's file, then that of D-Bus
/// (machine-id(5)).
const MACHINE_ID_FILES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// Namespace of instance ids that are derived from a machine id.
const AGENT_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_6c39_8a5e_4c1b_9d54_2f0c_77f3_a0b8);

/// The host and the sensor on it: part of every OTLP Resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostResource {
    /// `host.name`.
    pub host_name: String,
    /// `host.id`; `None` where the host has no machine id.
    pub host_id: Option<String>,
    /// `service.instance.id` of the sensor itself, on what it says about
    /// processes rather than for a service.
    pub agent_instance_id: Uuid,
}

impl HostResource {
    /// Asks the running host.
    ///
    /// The sensor's own instance id follows from the machine id, so it is
    /// stable without a store; without a machine id it is new every time.
    #[must_use]
    pub fn detect() -> Self {
        let host_name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let host_id = MACHINE_ID_FILES
            .iter()
            .find_map(|path| machine_id(Path::new(path)));
        let agent_instance_id = match &host_id {
            Some(id) => Uuid::new_v5(&AGENT_NAMESPACE, id.as_bytes()),
            None => Uuid::now_v7(),
        };
        Self {
            host_name,
            host_id,
            agent_instance_id,
        }
    }
}

/// The id in a machine-id file; `uninitialized` and other content that is not
/// 32 hexadecimal digits is none.
fn machine_id(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let id = text.trim();
    let valid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_machine_id_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine-id");
        for (content, expected) in [
            (
                "0123456789ABCDEF0123456789abcdef\n",
                Some("0123456789abcdef0123456789abcdef"),
            ),
            ("uninitialized\n", None),
            ("", None),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(machine_id(&path).as_deref(), expected, "{content:?}");
        }
        assert_eq!(machine_id(&directory.path().join("absent")), None);
    }
}
