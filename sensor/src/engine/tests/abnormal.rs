//! Abnormal ends of members, and of nobody else.

use std::sync::Arc;

use sensor_common::{
    event::{OOM_VICTIM, Output, OutputFile, STDERR, STDOUT, Sender},
    kind,
};

use super::bench::{ATTACHED, Bench, Id, MS, cpu, exec, exit, header, plugin};
use crate::{
    decode::Event,
    engine::ExecContext,
    incident::ended::{Ended, Oom},
    process::event::End,
};

const SHELL: Id = (10, ATTACHED + MS);
const SHOP: Id = (20, ATTACHED + 2 * MS);
const FILE: OutputFile = OutputFile {
    inode: 7,
    size: 100,
};

fn exit_with(
    id: Id,
    status: u32,
    with: impl FnOnce(&mut sensor_common::event::Exit),
) -> Event<'static> {
    let Event::Exit(mut record) = exit(id, id.1 + 9 * MS, status, cpu(1), 0) else {
        unreachable!("an exit is one");
    };
    with(&mut record);
    Event::Exit(record)
}

fn output(id: Id, streams: u32, file: OutputFile) -> Event<'static> {
    let record = Output {
        header: header(kind::OUTPUT, id, id.1 + 9 * MS),
        streams,
        path_len: 0,
        file,
    };
    Event::Output(Box::new(record), Some(b"/var/log/shop".to_vec()))
}

/// A member, and a shell that nobody watches.
fn bench() -> Bench {
    let mut bench = Bench::of(100, vec![plugin("shop", "^shop$")]);
    bench.fork((1, 0), SHELL);
    bench.exec(SHELL, SHELL.1 + 1, "sh", 1);
    bench.fork(SHELL, SHOP);
    bench.exec(SHOP, SHOP.1 + 1, "shop", 1);
    bench
}

fn ended(bench: &mut Bench) -> Vec<Ended> {
    bench.engine.take_ended()
}

#[test]
fn a_code_is_one_of_members_only() {
    let mut bench = bench();
    bench.event(&exit_with(SHOP, 3 << 8, |_| {}));
    bench.event(&exit_with(SHELL, 3 << 8, |_| {}));
    let ended = ended(&mut bench);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].process.pid, SHOP.0);
    assert_eq!(ended[0].end, End::Code(3));
    assert_eq!(ended[0].services.len(), 1);
    assert!(ended[0].process.args.is_some());
    assert!(self::ended(&mut bench).is_empty());
}

/// Whether or not the plugin wants events.
#[test]
fn what_happened_around_it_is_known() {
    let mut bench = bench();
    let other = (21, ATTACHED + 3 * MS);
    bench.fork(SHELL, other);
    bench.exec(other, other.1 + 1, "shop", 1);
    bench.event(&exit_with(other, 0, |_| {}));
    bench.event(&exit_with(SHOP, 3 << 8, |_| {}));
    let ended = ended(&mut bench);
    let around: Vec<_> = ended[0]
        .siblings
        .iter()
        .map(|one| (one.pid, one.end))
        .collect();
    assert_eq!(around, [(21, None), (21, Some(Some(End::Code(0))))]);
    assert_eq!(ended[0].siblings[0].name, "shop");
    assert_eq!(ended[0].case().siblings, ended[0].siblings);
}

#[test]
fn ends_that_were_wished_for_are_none() {
    for status in [0, 15] {
        let mut bench = bench();
        bench.event(&exit_with(SHOP, status, |_| {}));
        assert!(ended(&mut bench).is_empty(), "{status}");
    }
}

#[test]
fn the_record_says_who_and_why() {
    let mut bench = bench();
    let mut comm = [0; 16];
    comm[..6].copy_from_slice(b"reaper");
    bench.event(&exit_with(SHOP, 9, |exit| {
        exit.sender = Sender {
            pid: 812,
            signal: 9,
            comm,
            ..Sender::default()
        };
    }));
    let one = ended(&mut bench).remove(0);
    assert_eq!(one.cause(), "signal 9 (SIGKILL) from pid 812 (reaper)");

    let mut bench = self::bench();
    bench.event(&exit_with(SHOP, 9, |exit| exit.flags = OOM_VICTIM));
    let one = ended(&mut bench).remove(0);
    assert!(one.oom == Some(Oom::Victim) && one.sender.is_none());
}

#[test]
fn what_stood_in_a_file_before_the_exec_is_known_of_forked_children_too() {
    let worker = (21, SHOP.1 + MS);
    let mut bench = bench();
    exec(SHOP, SHOP.1 + 2, "shop", cpu(1), |event| {
        let Event::Exec(record, tail) = event else {
            panic!("no exec");
        };
        let mut record = record.clone();
        record.outputs[1] = FILE;
        bench.event(&Event::Exec(record, tail.clone()));
    });
    bench.fork(SHOP, worker);
    let grown = |inode| OutputFile { inode, size: 150 };
    bench.event(&output(worker, STDERR, grown(7)));
    bench.event(&output(worker, STDOUT, grown(8)));
    // Of a process that nobody watches nothing is kept.
    bench.event(&output(SHELL, STDERR, grown(9)));
    bench.event(&exit_with(worker, 1 << 8, |_| {}));
    let one = ended(&mut bench).remove(0);
    let [err, out] = one.written.as_slice() else {
        panic!("{:?}", one.written);
    };
    assert_eq!(
        (err.stream, err.from, err.to),
        (Some("stderr"), Some(100), 150)
    );
    assert_eq!((out.stream, out.from, out.to), (Some("stdout"), None, 150));
}

const NOBODY: [u32; 0] = [];

fn joined(bench: &mut Bench) -> Vec<u32> {
    let joined = bench.engine.take_joined();
    joined.iter().map(|one| one.key.pid).collect()
}

/// A storm of short processes is nothing that anybody is told of.
#[test]
fn who_is_there_for_a_moment_is_handed_on() {
    let mut bench = bench();
    let short = (21, ATTACHED + 3 * MS);
    bench.fork(SHELL, short);
    bench.exec(short, short.1 + 1, "shop", 1);
    assert_eq!(joined(&mut bench), NOBODY);
    bench.tick(ATTACHED + 150 * MS);
    bench.exit(short, ATTACHED + 151 * MS, 0, 1);
    bench.tick(ATTACHED + 200 * MS);
    assert_eq!(joined(&mut bench), NOBODY, "it has just begun");
    bench.tick(ATTACHED + 250 * MS);
    assert_eq!(joined(&mut bench), [SHOP.0]);
    bench.tick(ATTACHED + 350 * MS);
    assert_eq!(joined(&mut bench), NOBODY, "once");
    // Whom a scan finds has been there.
    bench.found((22, ATTACHED), "shop", ATTACHED + 351 * MS);
    assert_eq!(joined(&mut bench), [22]);
}

/// Its counter has to be read before anything happens.
#[test]
fn the_first_one_of_a_cgroup_is_handed_on_at_once() {
    let mut bench = bench();
    let mut begins = |pid: u32, cgroup: &Arc<str>| {
        exec((pid, ATTACHED), ATTACHED + MS, "shop", cpu(1), |event| {
            let context = ExecContext {
                cgroup: Some(Arc::clone(cgroup)),
                ..ExecContext::default()
            };
            bench.engine.event(event, context, &mut Vec::new());
        });
        joined(&mut bench)
    };
    let [one, other]: [Arc<str>; 2] = ["/shop".into(), "/bank".into()];
    assert_eq!(begins(30, &one), [30]);
    assert_eq!(begins(31, &one), NOBODY);
    assert_eq!(begins(32, &other), [32]);
    assert_eq!(begins(33, &one), NOBODY);
    let again: Arc<str> = "/shop".into();
    assert_eq!(begins(34, &again), [34], "it was made again");
}
