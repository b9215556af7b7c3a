//! `/proc/PID/cmdline` (proc_pid_cmdline(5)): the arguments, each ended by a
//! NUL, as the process left them: it may write over them.

/// Arguments as far as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Args {
    /// One raw byte string an argument; an empty one is an empty argument.
    pub args: Vec<Vec<u8>>,
    /// There were more bytes than were to be read: the list ends at the last
    /// argument that is whole, or holds the first one cut.
    pub truncated: bool,
}

impl Args {
    /// Reads a `cmdline` file of which `truncated` says whether it goes on.
    ///
    /// Without any NUL all of it is one argument: the process wrote a title
    /// over its arguments. So is a first argument with a blank in it that only
    /// empty ones follow: a title that is shorter than what it was written
    /// over is padded with NULs (nginx, sshd).
    #[must_use]
    pub fn parse(bytes: &[u8], truncated: bool) -> Self {
        let whole = if truncated {
            match bytes.iter().rposition(|&byte| byte == 0) {
                Some(end) => &bytes[..end],
                None => bytes,
            }
        } else {
            bytes.strip_suffix(b"\0").unwrap_or(bytes)
        };
        if bytes.is_empty() {
            return Self {
                args: Vec::new(),
                truncated,
            };
        }
        let mut args: Vec<Vec<u8>> = whole.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        if args[0].contains(&b' ') && args[1..].iter().all(Vec::is_empty) {
            args.truncate(1);
        }
        Self { args, truncated }
    }

    /// The arguments joined by single blanks, as patterns on `cmdline` see them.
    #[must_use]
    pub fn joined(&self) -> Vec<u8> {
        self.args.join(&b' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8], truncated: bool, expect: &[&[u8]]) {
        let args = Args::parse(bytes, truncated);
        assert_eq!(args.args, expect, "{:?}", bytes.escape_ascii().to_string());
        assert_eq!(args.truncated, truncated);
    }

    #[test]
    fn empty_arguments_stay() {
        check(b"sh\0-c\0\0", false, &[b"sh", b"-c", b""]);
        check(b"sh\0\0x\0\0\0", false, &[b"sh", b"", b"x", b"", b""]);
        check(b"\0", false, &[b""]);
        check(b"", false, &[]);
    }

    #[test]
    fn a_title_is_one_argument() {
        check(b"nginx: master process", false, &[b"nginx: master process"]);
        check(
            b"nginx: worker process\0\0\0\0",
            false,
            &[b"nginx: worker process"],
        );
        check(b"a b\0c\0", false, &[b"a b", b"c"]);
    }

    #[test]
    fn what_is_cut_ends_with_a_whole_argument() {
        check(b"cat\0one\0tw", true, &[b"cat", b"one"]);
        check(b"cat\0one\0", true, &[b"cat", b"one"]);
        check(b"verylong", true, &[b"verylong"]);
    }

    #[test]
    fn joined_by_single_blanks() {
        assert_eq!(Args::parse(b"a\0\0b\0", false).joined(), b"a  b");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>, truncated: bool) {
            let _ = Args::parse(&bytes, truncated);
        }

        #[test]
        fn written_arguments_are_read_back(
            args in proptest::collection::vec(
                proptest::collection::vec(33u8.., 0..20), 1..10,
            ),
        ) {
            let mut file = args.join(&0);
            file.push(0);
            prop_assert_eq!(Args::parse(&file, false).args, args);
        }
    }
}
