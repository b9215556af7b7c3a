//! A store that has no place, or no room.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
};

use sensor_tests::isolated;

use super::*;

#[test]
fn a_directory_that_is_closed_to_the_user_is_named() {
    let desk = Desk::new();
    let state = desk.plugins.root().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
    let answer = desk.ask(&[], as_nobody);
    let shown = state.display().to_string();
    answer.says("store", "failed", &[&shown, "cannot write", "[store] path"]);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let desk = Desk::new();
    fs::write(desk.plugins.root().join("state"), "in the way").unwrap();
    let answer = desk.ask(&[], as_it_is);
    let shown = desk.store().display().to_string();
    answer.says("store", "failed", &[&shown]);
}

#[test]
fn a_read_only_file_system_and_a_full_one_are_named() {
    if !isolated::namespaces("a_read_only_file_system_and_a_full_one_are_named", 0) {
        return;
    }
    let desk = Desk::new();
    let state = desk.plugins.root().join("state");
    fs::create_dir(&state).unwrap();
    isolated::mount("tmpfs", &state, libc::MS_RDONLY, "size=64m").unwrap();
    let answer = desk.ask(&[], as_it_is);
    answer.says("store", "failed", &["cannot write", "ead-only"]);

    isolated::mount("tmpfs", &state, 0, "size=64m").unwrap();
    desk.ask(&[], as_it_is).says("store", "skipped", &[]);
    let mut filler = File::create(state.join("filler")).unwrap();
    let chunk = [1; 65_536];
    while filler.write_all(&chunk).is_ok() {}
    let answer = desk.ask(&[], as_it_is);
    answer.says("store", "degraded", &["KiB are free", "make room"]);
}

#[test]
fn a_file_that_is_no_store_is_named() {
    let desk = Desk::new();
    fs::create_dir(desk.plugins.root().join("state")).unwrap();
    fs::write(desk.store(), "something else").unwrap();
    let answer = desk.ask(&[], as_it_is);
    let shown = desk.store().display().to_string();
    answer.says("store", "degraded", &[&shown, "`sensor store verify`"]);
}
