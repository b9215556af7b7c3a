"""Makes the seeds that no person would write by hand; README.md says more."""

import base64
import gzip
import hashlib
import json
import os
import sqlite3
import struct
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def seed(target, name, content):
    if isinstance(content, str):
        content = content.encode()
    os.makedirs(os.path.join(HERE, target), exist_ok=True)
    with open(os.path.join(HERE, target, name), "wb") as file:
        file.write(content)


# Records of the ring: sensor-common/src/event.rs.


def header(kind):
    return struct.pack("<IIQQ", kind, 4711, 9_000_000_000, 8_000_000_000)


FIGURES = struct.pack("<12Q", *range(1, 13))


def records():
    seed("record", "fork", header(1) + struct.pack("<IIQQ", 1, 0, 7, 8))
    path, args = b"ls\0bin\0usr\0", b"ls\0-l\0/tmp\0"
    exec_record = struct.pack("<IIQQ", 1, 1000, 7, 8) + FIGURES
    exec_record += b"ls".ljust(16, b"\0")
    exec_record += struct.pack("<QQIIII", 300, len(args), len(args), len(path), 1, 0)
    seed("record", "exec", header(2) + exec_record + path + args)
    exit_record = struct.pack("<IIIIII", 1, 1000, 256, 2, 1, 0)
    seed("record", "exit", header(3) + exit_record + FIGURES + struct.pack("<QQ", 300, 2**64 - 1))
    seed("record", "late", header(4) + struct.pack("<II", 1, 0) + FIGURES)
    seed("record", "rename", header(5))


# Types of a kernel: Documentation/bpf/btf.rst.


class Btf:
    def __init__(self):
        self.strings, self.types, self.count = b"\0", b"", 0

    def string(self, text):
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, kind, name="", length=0, size=0, tail=b"", flag=0):
        info = flag << 31 | kind << 24 | length
        name = self.string(name) if name else 0
        self.types += struct.pack("<III", name, info, size) + tail
        self.count += 1
        return self.count

    def struct(self, name, members, kind=4, flag=0):
        tail = b""
        for member, of, bits in members:
            tail += struct.pack("<III", self.string(member) if member else 0, of, bits)
        return self.add(kind, name, len(members), 256, tail, flag)

    def file(self):
        head = struct.pack("<HBBI", 0xEB9F, 1, 0, 24)
        head += struct.pack("<IIII", 0, len(self.types), len(self.types), len(self.strings))
        return head + self.types + self.strings


def btf():
    types = Btf()
    u32 = types.add(1, "unsigned int", size=4, tail=struct.pack("<I", 32))
    u64 = types.add(1, "unsigned long", size=8, tail=struct.pack("<I", 64))
    time = types.add(8, "u64", size=u64)
    const = types.add(10, size=time)
    pointer = types.add(2, size=u64)
    array = types.add(3, tail=struct.pack("<III", u64, u32, 4))
    entity = types.struct("sched_entity", [("sum_exec_runtime", const, 64), ("cfs_rq", pointer, 128)])
    inner = types.struct("", [("real_parent", pointer, 64), ("signal", pointer, 128)], kind=5)
    bits = types.struct("", [("in_execve", u32, 1 << 24 | 3)], flag=1)
    types.struct(
        "task_struct",
        [
            ("pid", u32, 32),
            ("tgid", u32, 64),
            ("start_boottime", time, 128),
            ("se", entity, 256),
            ("", inner, 1024),
            ("", bits, 2048),
        ],
    )
    types.struct("mm_struct", [("rss_stat", array, 64)])
    types.struct("cfs_rq", [("rq", pointer, 0)])
    prototype = types.add(13, "", 2, 0, struct.pack("<IIII", 0, pointer, 0, u32))
    typedef = types.add(2, size=prototype)
    types.add(8, "btf_trace_sched_process_exec", size=typedef)
    steal = types.add(14, "steal_time", size=u64, tail=struct.pack("<I", 1))
    types.add(15, ".data..percpu", 1, 64, struct.pack("<III", steal, 192, 64))
    types.add(6, "state", 1, 4, struct.pack("<II", types.string("RUNNING"), 0))
    seed("btf", "small", types.file())


# The database of the framework.


def database(name, *pragmas, log=False):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "metadata.db")
        file = sqlite3.connect(path, isolation_level=None)
        for pragma in ("page_size = 512", *pragmas):
            file.execute("PRAGMA " + pragma)
        file.executescript(
            "CREATE TABLE hosts (id TEXT PRIMARY KEY, hostname TEXT, first_seen TIMESTAMP);"
            "CREATE TABLE service_namespaces (id INTEGER PRIMARY KEY, namespace TEXT);"
            "CREATE TABLE services (id TEXT, full_name TEXT, namespace_id INTEGER,"
            " first_seen TIMESTAMP, last_seen REAL);"
            "INSERT INTO hosts VALUES ('6b1f', 'till-3', '2025-01-02T03:04:05.678901');"
            "INSERT INTO service_namespaces VALUES (1, 'Strategy');"
        )
        if log:
            file.execute("PRAGMA journal_mode = wal")
        text = "x" * (700 if name == "overflow" else 5)
        file.execute("INSERT INTO services VALUES ('9000', ?, 1, '2025-06-07', 1749283750.5)", (text,))
        parts = []
        for suffix in ("", "-wal"):
            exists = os.path.exists(path + suffix)
            parts.append(open(path + suffix, "rb").read() if exists else b"")
        main, wal = parts
        file.close()
    places = struct.pack("<HH", len(main), len(main) + len(wal))
    seed("sqlite", name, places + main + wal)


def databases():
    database("plain")
    database("overflow")
    database("utf16", "encoding = 'UTF-16le'")
    database("log", log=True)


# Protobuf: sensor/src/store/records.rs, and what collectors answer.


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(tag, value):
    if isinstance(value, int):
        return varint(tag << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(tag << 3 | 2) + varint(len(value)) + value


def messages():
    service = [
        "6b1f4d1e-0000-4000-9000-000000000001", "till", "Strategy", "Till", "1", "counts",
        1_735_787_045_000_000_000, 1_749_283_750_000_000_000, "till", "till", "eu",
    ]
    seed("store_record", "service", b"".join(field(n + 1, v) for n, v in enumerate(service)))
    seed("store_record", "numbers", b"".join(field(n, n * 1000) for n in range(1, 12)))
    packed = b"".join(varint(n) for n in range(9))
    seed("store_record", "lists", b"".join(field(n, packed) for n in range(1, 12)))
    rejected = field(1, field(1, 3) + field(2, "too\nold"))
    status = field(1, 8) + field(2, "full")
    delay = field(1, "type.googleapis.com/google.rpc.RetryInfo") + field(2, field(1, field(1, 7)))
    protobuf = b"content-type: application/x-protobuf\n"
    seed("otlp_answer", "partial", b"http 200\n" + protobuf + b"\n" + rejected)
    seed("otlp_answer", "refused", b"http 400\n" + protobuf + b"\n" + status)
    seed("otlp_answer", "page", b"http 200\ncontent-type: text/html; charset=utf-8\n\n<html>")
    seed("otlp_answer", "busy", b"http 429\nretry-after: 120\n\n")
    date = b"http 503\nretry-after: Fri, 02 Jan 2026 03:04:05 GMT\n\n"
    seed("otlp_answer", "later", date)
    # Base64 of a google.rpc.Status with a RetryInfo.
    details = base64.b64encode(status + field(3, delay)).rstrip(b"=")
    trailers = b"grpc-status: 8\ngrpc-message: full%0Aup\ngrpc-status-details-bin: " + details
    seed("otlp_answer", "exhausted", b"grpc\n" + trailers + b"\n\n")
    seed("otlp_answer", "taken", b"grpc\ngrpc-status: 0\n\n" + rejected)


def requests():
    def text(key, value):
        return field(1, key) + field(2, field(1, value))

    def number(key, value):
        return field(1, key) + field(2, field(3, value))

    stack = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 7, in f\nKeyError: 'id'\n"
    given = [("exception.type", "KeyError"), ("exception.message", "'id'"), ("exception.stacktrace", stack)]
    raised = [text(key, value) for key, value in given]
    event = field(2, "exception") + b"".join(field(3, pair) for pair in raised)
    asked = [text("http.target", "/items/7?x"), number("http.status_code", 500), text("http.body", "{}")]
    span = field(1, bytes(range(16))) + field(5, "GET /items") + field(6, 2)
    span += b"".join(field(9, pair) for pair in asked) + field(11, event)
    resource = field(1, field(1, number("process.pid", 41)) + field(1, text("service.name", "shop")))
    traces = field(1, resource + field(2, field(2, span)))
    entity = field(2, "service") + field(3, "service.name") + field(4, "service.version")
    entities = field(1, field(1, field(1, text("service.name", "shop")) + field(3, entity)) + field(2, field(2, span)))

    def logs(depth):
        deep = field(3, 1)
        for level in range(depth):
            deep = field(5, field(1, deep)) if level % 2 else field(6, field(1, field(1, "k") + field(2, deep)))
        record = field(2, 17) + field(3, "ERROR") + field(5, deep) + b"".join(field(6, pair) for pair in raised)
        return field(1, resource + field(2, field(1, field(1, "shop.log")) + field(2, record)))

    seed("otlp_request", "traces", b"traces protobuf\n" + traces)
    seed("otlp_request", "found-entity", b"traces protobuf\n" + entities)
    seed("otlp_request", "logs", b"logs protobuf\n" + logs(20))
    seed("otlp_request", "too-deep", b"logs protobuf\n" + logs(40))
    seed("otlp_request", "packed", b"traces protobuf gzip\n" + gzip.compress(traces, mtime=0))
    empty = field(1, field(2, b"\x12\0" * 1_000_000))
    seed("otlp_request", "found-empty-spans", b"traces protobuf gzip\n" + gzip.compress(empty, mtime=0))
    value = {"arrayValue": {"values": [{"intValue": "7"}, {"doubleValue": 0.5}, {"bytesValue": "AAH/"}]}}
    body = {"kvlistValue": {"values": [{"key": "list", "value": value}]}}
    record = {"severityNumber": 17, "traceId": "00" * 16, "body": body}
    lines = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    seed("otlp_request", "json", b"logs json\n" + json.dumps(lines).encode())
    span = {"name": "GET /", "kind": 2, "startTimeUnixNano": "1", "endTimeUnixNano": "2000000001"}
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    seed("otlp_request", "slow", b"traces json\n" + json.dumps(spans).encode())
    scalars = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"x","value":{"arrayValue":{"values":['
    scalars += b"1," * 2_000_000 + b"1]}}}]}}]}"
    seed("otlp_request", "found-scalars", b"traces json gzip\n" + gzip.compress(scalars, mtime=0))
    braces = b'{"resourceSpans":[' + b"{}," * 600_000 + b"{}]}"
    seed("otlp_request", "found-braces", b"traces json gzip\n" + gzip.compress(braces, mtime=0))


def stores():
    seed("store_open", "whole", b"\0\xff\xff")
    seed("store_open", "half", b"\0\0\x60")
    seed("store_open", "recovery", b"\0\xff\xff" + struct.pack("<HB", 9, 3))
    root = b"".join(struct.pack("<HB", at, 0xFF) for at in range(64, 72))
    seed("store_open", "root", b"\0\xff\xff" + root)
    seed("store_open", "none", b"rredb\x1a\x0a\xa9\x0d\x0a")


def times():
    for name, text in {
        "second": "2024-02-29T07:08:09",
        "zone": "2024-05-06T07:08:09.123456+02:00",
        "day": "2024-03-01",
        "number": "1709190489.25",
    }.items():
        seed("legacy_time", name, text)


def manifests():
    sums = [hashlib.sha256(text).hexdigest() for text in (b"", b"abc")]
    seed(
        "manifest_toml",
        "two-files",
        'version = "1.2"\nschema_version = 1\ngenerated = "2023-11-14T22:13:20Z"\n\n'
        f"[files.'docs/a \"b\".md']\nsha256 = \"{sums[0]}\"\nsize = 0\nmode = \"0640\"\n\n"
        f'[files."plugin.toml"]\nsha256 = "{sums[1]}"\nsize = 3\n',
    )
    seed("manifest_toml", "inline", f'files = {{ "x" = {{ sha256 = "{sums[1]}" }} }}\n')


records()
btf()
databases()
messages()
requests()
stores()
times()
manifests()
