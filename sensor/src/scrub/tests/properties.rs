//! Properties, on bytes and on lines made of what the rules look for.

use proptest::collection::vec;
use proptest::prelude::*;

use super::scrubber;

/// Pieces that meet the rules' special cases when they are put together.
const PIECES: &[&str] = &[
    "password",
    "token",
    "Authorization",
    "Cookie",
    "PWD",
    "session",
    "api",
    "key",
    "auth",
    "token_file",
    "no-",
    "--",
    "-",
    "-p",
    "-u",
    "-c",
    "-D",
    "_",
    ".",
    "=",
    ":",
    "=>",
    ":=",
    "::",
    ",",
    ";",
    "&",
    "|",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\"",
    "'",
    "`",
    "\\",
    "\\\"",
    "\\\\\\\"",
    "\\n",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "</",
    "://",
    ":\\/\\/",
    "@",
    "/",
    "$",
    "b",
    "********",
    "*",
    "mysql",
    "mariadb",
    "sshpass",
    "curl",
    "wget",
    "bob",
    "hunter2",
    "x",
    "A",
    "1",
    "443",
    "Bearer",
    "Basic",
    "Digest",
    "-----BEGIN KEY-----",
    "\n-----END KEY-----",
    "MIIEpAIBAAKCAQEA",
    "0123456789abcdef0123456789abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdef01",
    "eyJhbGciOiJ9.eyJzdWIi.abc",
    "\x1b[3m",
    "\x1b[0m",
    "\u{fc}",
    "null",
    "name",
    "value",
    "is",
    "http",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    vec(proptest::sample::select(PIECES), 0..16).prop_map(|pieces| pieces.concat().into_bytes())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![line(), vec(any::<u8>(), 0..64)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn arguments_keep_their_number(args in vec(bytes(), 0..6)) {
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(scrubber().scrub_args(&args).len(), args.len());
    }

    #[test]
    fn scrubbed_arguments_stay(args in vec(bytes(), 0..6)) {
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let once = scrubber().scrub_args(&args);
        let again: Vec<&[u8]> = once.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(show(&scrubber().scrub_args(&again)), show(&once));
    }

    #[test]
    fn scrubbed_text_stays(text in bytes()) {
        let once = scrubber().scrub_text(&text);
        let again = scrubber().scrub_text(&once);
        prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&once));
    }

    #[test]
    fn line_ends_stay(text in bytes()) {
        let scrubbed = scrubber().scrub_text(&text);
        let ends = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(ends(&scrubbed), ends(&text));
    }

    #[test]
    fn a_stream_is_as_the_text(text in bytes()) {
        let mut streamed = Vec::new();
        scrubber().scrub_stream(text.as_slice(), &mut streamed).unwrap();
        prop_assert_eq!(streamed, scrubber().scrub_text(&text));
    }

    #[test]
    fn no_value_leaks(
        before in "[a-z {]{0,8}",
        name in "[ab]{0,4}[_.-](password|secret_key|api_key|accessToken)",
        sign in "(=|: |=>| = |=\"|: '|\":\")",
        value in "[A-Za-z0-9!#%*+./?@^~-]{12,20}",
    ) {
        let text = format!("{before} {name}{sign}{value}");
        let scrubbed = String::from_utf8(scrubber().scrub_text(text.as_bytes())).unwrap();
        let secret = value.trim_end_matches(['.', '*']);
        prop_assert!(!scrubbed.contains(secret), "{} became {}", text, scrubbed);
        let args = ["x".as_bytes(), text.trim().as_bytes()];
        let scrubbed = show(&scrubber().scrub_args(&args));
        prop_assert!(!scrubbed[1].contains(secret), "{} became {}", text, scrubbed[1]);
    }
}

fn show(args: &[Vec<u8>]) -> Vec<String> {
    args.iter()
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect()
}
