//! `metadata.db` of the framework.

use std::{fs, io, os::unix::process::CommandExt};

use sensor_tests::{plugins::wait_service, sensor::skipped};
use serde_json::Value;

use super::*;

const PLAIN: &[u8] = include_bytes!("../../../sensor/src/store/fixtures/framework/plain.db");
const FOREIGN: &[u8] = include_bytes!("../../../sensor/src/store/fixtures/framework/foreign.db");

fn shown(path: &Path) -> Value {
    let (code, stdout, stderr) = store("show", path, &["--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn the_file_makes_way_once_and_what_nobody_claims_is_shown() {
    let place = Place::new();
    let beside = place.path("metadata.redb");
    let old = place.path("metadata.db");
    fs::write(&old, PLAIN).unwrap();
    let errors = place.work(&mut place.run(&beside));
    assert_eq!(errors.matches("metadata.db.legacy").count(), 1, "{errors}");
    assert!(fs::read(place.path("metadata.db.legacy")).unwrap() == PLAIN);
    assert!(!old.exists());
    let errors = place.work(&mut place.run(&beside));
    assert!(!errors.contains("legacy"), "{errors}");

    let object = shown(&beside);
    let services = object["services"].as_array().unwrap();
    let till = services
        .iter()
        .find(|one| one["service.instance.id"] == "6b1f4d1e-0000-4000-9000-000000000002")
        .unwrap();
    assert_eq!(till["service_id"], "till");
    assert_eq!(till["service.namespace"], "Strategy₿");
    assert_eq!(till["first_seen"], "2025-01-02T03:04:05.000000000Z");
    assert_eq!(till["legacy"], true);
    let (code, text, _) = store("show", &beside, &[]);
    assert_eq!(code, Some(0));
    assert!(text.contains("till (metadata.db, not claimed)"), "{text}");
}

#[test]
fn the_host_of_this_name_keeps_its_id() {
    if !show::is_root() {
        skipped("the_host_of_this_name_keeps_its_id", "needs root");
        return;
    }
    let place = Place::new();
    let path = place.path("metadata.redb");
    fs::write(place.path("metadata.db"), PLAIN).unwrap();
    let mut command = place.run(&path);
    // SAFETY: both are system calls, and touch no memory of ours.
    unsafe {
        command.pre_exec(|| {
            let name = c"till-3";
            match libc::unshare(libc::CLONE_NEWUTS) == 0
                && libc::sethostname(name.as_ptr(), name.count_bytes()) == 0
            {
                true => Ok(()),
                false => Err(io::Error::last_os_error()),
            }
        });
    }
    place.work(&mut command);
    let hosts = shown(&path)["hosts"].clone();
    let own = &hosts[0];
    assert_eq!(own["host.name"], "till-3");
    assert_eq!(own["host.id"], "6b1f4d1e-0000-4000-8000-000000000001");
    assert_eq!(own["first_seen"], "2025-01-02T03:04:05.678901000Z");
    assert_eq!(own["legacy"], Value::Null);
    assert_eq!(hosts[1]["host.name"], "till-4");
    assert_eq!(hosts[1]["legacy"], true);
}

#[test]
fn the_file_named_by_the_flag_makes_way_and_a_foreign_one_is_kept_aside() {
    let place = Place::new();
    let path = place.path("metadata.db");
    fs::write(&path, PLAIN).unwrap();
    for what in ["show", "history"] {
        let (code, stdout, stderr) = store(what, &path, &[]);
        assert_eq!((code, &*stdout), (Some(65), ""), "{stderr}");
        assert!(stderr.contains("SQLite file of the framework"), "{stderr}");
    }
    assert!(fs::read(&path).unwrap() == PLAIN);
    place.work(&mut place.run(&path));
    assert!(fs::read(place.path("metadata.db.legacy")).unwrap() == PLAIN);
    assert_eq!(shown(&path)["services"].as_array().unwrap().len(), 3);

    let foreign = place.path("foreign.db");
    fs::write(&foreign, FOREIGN).unwrap();
    let (code, _, stderr) = end(place.run(&foreign).arg("--strict-store"));
    assert_eq!(code, Some(65), "{stderr}");
    assert!(fs::read(&foreign).unwrap() == FOREIGN);
    place.work(&mut place.run(&foreign));
    let names = place.names("");
    let aside = names
        .iter()
        .find(|name| name.starts_with("foreign.db.corrupt-"));
    assert!(fs::read(place.path(aside.unwrap())).unwrap() == FOREIGN);
}

/// As at a start: a row goes to one service, and to nobody else.
#[test]
fn plugins_that_a_reload_brings_take_over_ids() {
    const MULPRC: &str = "6b1f4d1e-0000-4000-9000-000000000001";
    let place = Place::new();
    let path = place.path("metadata.redb");
    fs::write(place.path("metadata.db"), PLAIN).unwrap();
    let lines = Lines::start(&mut place.run(&path));
    lines.wait("a report", |said| (!said.lines.is_empty()).then_some(()));
    // The sensor itself is a member.
    let id_of = |name: &str, what: &str| {
        place.plugins.plugin(name, ".", "[match]\non = 'cmdline'\n");
        let service = wait_service(&lines, name, what, |one| one["process_count"] != 0);
        service["service.instance.id"].as_str().unwrap().to_owned()
    };
    assert_eq!(id_of("m8mulprc", "the framework's service"), MULPRC);
    fs::remove_dir_all(place.plugins.path().join("m8mulprc")).unwrap();
    wait_service(&lines, "m8mulprc", "its end", |one| {
        one["process_count"] == 0
    });
    // Its name sanitized is that of the row; the row is taken.
    assert_ne!(id_of("M8MULPRC", "another of the name"), MULPRC);
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let services = shown(&path)["services"].clone();
    let services = services.as_array().unwrap().iter();
    let of = services.filter(|one| one["service.instance.id"] == MULPRC);
    let of: Vec<_> = of
        .map(|one| (&one["service.name"], &one["legacy"]))
        .collect();
    assert_eq!(of, [(&Value::from("m8mulprc"), &Value::Null)]);
}
