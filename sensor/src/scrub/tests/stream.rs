//! Streams and long lines.

use super::super::lines::PIECE_MAX;
use super::scrubber;

fn streamed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    scrubber().scrub_stream(text, &mut out).unwrap();
    out
}

/// A line with `secret` at every place around the end of a piece.
#[test]
fn a_secret_across_pieces_is_found() {
    for back in [0, 1, 5, 9, 10, 15, 20, 30, 1000] {
        let mut text = b"lorem ipsum ".repeat(PIECE_MAX / 12 + 1);
        text.truncate(PIECE_MAX - back);
        text.extend_from_slice(b" password=hunter2secret tail\n");
        let out = streamed(&text);
        assert!(out.ends_with(b" password=******** tail\n"), "{back} back");
        assert_eq!(out.len(), text.len() - "hunter2secret".len() + 8);
    }
}

#[test]
fn a_secret_longer_than_a_piece_goes_whole() {
    for (open, close) in [
        ("password=", " tail\n"),
        ("\"password\":\"", "\",\"tail\":1}\n"),
    ] {
        let mut text = format!("head {open}").into_bytes();
        text.extend(b"AbCd".repeat(PIECE_MAX));
        text.extend_from_slice(close.as_bytes());
        let out = streamed(&text);
        assert_eq!(
            String::from_utf8_lossy(&out),
            format!("head {open}********{close}")
        );
    }
}

#[test]
fn an_ordinary_long_line_stays() {
    for text in [b"x".repeat(3 * PIECE_MAX + 7), b"a=b, ".repeat(PIECE_MAX)] {
        assert!(streamed(&text) == text);
    }
}

#[test]
fn an_open_block_goes_on_in_a_stream() {
    let text = b"x\n-----BEGIN KEY-----\nMIIE\nQw==\n-----END KEY-----\ny";
    let expected = b"x\n-----BEGIN KEY-----\n********\n********\n-----END KEY-----\ny";
    assert_eq!(streamed(text), expected);
}

/// Lines that would take quadratic time if anything looked far ahead at each
/// of its starts.
#[test]
fn hostile_lines_take_linear_time() {
    let start = std::time::Instant::now();
    for piece in [
        "token",
        "token.",
        "token ",
        "token=",
        "token%3D%26",
        "sig=a",
        "mysqli('",
        "token=[",
        "token=(\"",
        "token='",
        "token=a\"",
        "token=a,",
        "<token>",
        "mysql -p",
        "mysql ",
        "://a:",
        "://a:b@",
        "Bearer ",
        "cookie: a; ",
        "-----BEGIN A-----",
        "\\\"token\\\":\\\"",
        "--token ",
        "key ",
        "a key=",
        "token\\",
        "token\t",
        "authorization: ",
        "\x1b[1mtoken\x1b[0m",
        "eyJaaaaaa.",
        "xoxb-1",
        "token=b'",
    ] {
        scrubber().scrub_text(piece.repeat(200_000 / piece.len()).as_bytes());
    }
    // A quadratic rule needs minutes, without optimisation, too.
    assert!(start.elapsed().as_secs() < 60);
}
