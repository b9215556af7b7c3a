//! `container`: the container, the pod and the unit, as the cgroup's path
//! tells.

use super::{Cache, Case, Cost, Facts, Kind, Notes};

/// The provider.
pub static KIND: Kind = Kind {
    name: "container",
    cost: Cost::Nothing,
    cache: Cache::Never,
    gather,
};

fn gather(case: &Case) -> Result<Facts, String> {
    let process = case.process.as_ref();
    let path = process.and_then(|process| process.cgroup.as_deref());
    let place = path.map(Place::of).unwrap_or_default();
    let mut notes = Notes::default();
    notes.text("id", place.id);
    notes.text("runtime", place.runtime);
    notes.text("pod_uid", place.pod_uid);
    notes.text("unit", place.unit);
    notes.text("slice", place.slice);
    Ok(notes.0)
}

/// What a cgroup's path says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The container's id, as the runtime knows it.
    pub(super) id: Option<String>,
    /// docker, containerd, cri-o, podman, lxc or systemd-nspawn.
    runtime: Option<&'static str>,
    /// The pod of Kubernetes, a UUID in its usual form.
    pod_uid: Option<String>,
    /// The innermost unit of systemd that is no container.
    unit: Option<String>,
    /// The innermost slice.
    slice: Option<String>,
}

impl Place {
    /// Reads a path of the cgroup v2 hierarchy, or of one of v1.
    pub(super) fn of(path: &str) -> Self {
        let mut place = Self::default();
        let mut before = "";
        for name in path.split('/').filter(|name| !name.is_empty()) {
            place.read(before, name);
            before = name;
        }
        place
    }

    /// The innermost container counts: a runtime may run within another.
    fn read(&mut self, before: &str, name: &str) {
        if let Some(uid) = pod_uid(name) {
            self.pod_uid = Some(uid);
        }
        if let Some((runtime, id)) = container(before, name) {
            // A bare id below a pod does not say which runtime made it.
            self.runtime = runtime;
            self.id = Some(id.to_owned());
            return;
        }
        match name.rsplit_once('.') {
            Some((_, "slice")) => self.slice = Some(name.to_owned()),
            Some((_, "service")) => self.unit = Some(name.to_owned()),
            Some((stem, "scope")) if !stem.starts_with("crio-conmon-") => {
                self.unit = Some(name.to_owned());
            }
            _ => {}
        }
    }
}

/// The runtime, where the name tells it, and the id.
fn container<'n>(before: &str, name: &'n str) -> Option<(Option<&'static str>, &'n str)> {
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    for (prefix, runtime) in [
        ("docker-", "docker"),
        ("cri-containerd-", "containerd"),
        ("crio-", "cri-o"),
        ("libpod-", "podman"),
    ] {
        // A payload may have groups of its own: libpod-payload-ID.
        let id = stem.strip_prefix(prefix);
        let id = id.map(|id| id.strip_prefix("payload-").unwrap_or(id));
        if let Some(id) = id.filter(|id| is_id(id)) {
            return Some((Some(runtime), id));
        }
    }
    // containerd's own: namespace, `:`, `cri-containerd`, `:`, id.
    if let Some((_, id)) = stem.rsplit_once(":cri-containerd:")
        && is_id(id)
    {
        return Some((Some("containerd"), id));
    }
    if let Some(id) = name.strip_prefix("lxc.payload.") {
        return Some((Some("lxc"), id));
    }
    if before == "lxc" {
        return Some((Some("lxc"), name));
    }
    if before == "machine.slice"
        && let Some(id) = name
            .strip_suffix(".scope")
            .and_then(|stem| stem.strip_prefix("machine-"))
    {
        return Some((Some("systemd-nspawn"), id));
    }
    if is_id(name) {
        return Some(((before == "docker").then_some("docker"), name));
    }
    // Fargate: the task's id without hyphens, `-`, a number.
    let (task, number) = name.split_once('-')?;
    let is_task = task.len() == 32 && is_hex(task);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_task && is_number).then_some((None, name))
}

/// 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `pod<uid>`, or `kubepods-burstable-pod<uid with _>.slice`.
fn pod_uid(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".slice").unwrap_or(name);
    let at = stem.rfind("pod")?;
    let (before, uid) = (stem.get(..at)?, stem.get(at + 3..)?);
    let is_pod = before.is_empty() || (before.starts_with("kubepods") && before.ends_with('-'));
    let uid = uid.replace('_', "-");
    // Static pods have a hash instead of a UUID.
    let is_uid = uuid::Uuid::try_parse(&uid).is_ok();
    (is_pod && is_uid).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const POD: &str = "1c2d3e4f-0000-1111-2222-333344445555";

    /// Path to runtime, id, pod, unit and slice, `-` for what is not there.
    fn check(path: &str, expected: &str) {
        let pod_in_slice = POD.replace('-', "_");
        let path = path
            .replace("POD_", &pod_in_slice)
            .replace("POD", POD)
            .replace("ID", ID);
        let place = Place::of(&path);
        let shown = |text: Option<&str>| text.unwrap_or("-").replace(ID, "ID").replace(POD, "POD");
        let found = [
            shown(place.runtime),
            shown(place.id.as_deref()),
            shown(place.pod_uid.as_deref()),
            shown(place.unit.as_deref()),
            shown(place.slice.as_deref()),
        ];
        assert_eq!(found.join(" "), expected, "{path}");
    }

    #[test]
    fn paths_of_runtimes_are_known() {
        for (path, expected) in [
            ("/", "- - - - -"),
            ("/init.scope", "- - - init.scope -"),
            (
                "/system.slice/nginx.service",
                "- - - nginx.service system.slice",
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/a@b.service",
                "- - - a@b.service app.slice",
            ),
            (
                "/user.slice/user-0.slice/session-3.scope",
                "- - - session-3.scope user-0.slice",
            ),
            ("/docker/ID", "docker ID - - -"),
            ("/docker/ID/init.scope", "docker ID - init.scope -"),
            (
                "/system.slice/docker-ID.scope",
                "docker ID - - system.slice",
            ),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
                "containerd ID POD - kubepods-burstable-podPOD_.slice",
            ),
            ("/kubepods/besteffort/podPOD/ID", "- ID POD - -"),
            (
                "/kubepods.slice/kubepods-podPOD_.slice/crio-ID.scope/container",
                "cri-o ID POD - kubepods-podPOD_.slice",
            ),
            (
                "/machine.slice/libpod-ID.scope/container",
                "podman ID - - machine.slice",
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
                "podman ID - user@1000.service user.slice",
            ),
            (
                "/system.slice/containerd.service/kubepods-besteffort-podPOD_.slice:cri-containerd:ID",
                "containerd ID - containerd.service system.slice",
            ),
            ("/lxc/web/init.scope", "lxc web - init.scope -"),
            ("/lxc.payload.web", "lxc web - - -"),
            (
                "/machine.slice/machine-web.scope",
                "systemd-nspawn web - - machine.slice",
            ),
            ("/ecs/cluster/task/ID", "- ID - - -"),
            ("/docker/ID/docker/ID", "docker ID - - -"),
            ("/docker/short", "- - - - -"),
            ("/tripod/x.pod", "- - - - -"),
        ] {
            let expected = expected.replace("POD_", &POD.replace('-', "_"));
            check(path, &expected);
        }
    }

    #[test]
    fn a_task_of_fargate_is_a_container() {
        let place =
            Place::of("/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-12");
        let id = place.id.unwrap();
        assert!(id.ends_with("-12"));
        assert_eq!(Place::of("/app-12").id, None);
    }
}
