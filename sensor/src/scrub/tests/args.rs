//! Argument vectors.

use super::scrubber;

/// Arguments that go in and come out; `|` is between them.
const MASKED: &[(&str, &str)] = &[
    ("x|--password=a", "x|--password=********"),
    ("x|--password=a b,c=d", "x|--password=********"),
    ("x|--password|a|b", "x|--password|********|b"),
    ("x|-password|a", "x|-password|********"),
    ("x|--db.password|a b", "x|--db.password|********"),
    ("x|--accessToken|a", "x|--accessToken|********"),
    ("x|--auth|a:b", "x|--auth|********"),
    ("x|-Dpassword=a b", "x|-Dpassword=********"),
    ("env|PGPASSWORD=a b|psql", "env|PGPASSWORD=********|psql"),
    ("docker|-e|DB_PASSWORD=a", "docker|-e|DB_PASSWORD=********"),
    (
        "docker|--env=DB_PASSWORD=a b",
        "docker|--env=DB_PASSWORD=********",
    ),
    (
        "helm|--set|a.password=x,b=2",
        "helm|--set|a.password=********,b=2",
    ),
    (
        "helm|--set=b=2,a.password=x,c=3",
        "helm|--set=b=2,a.password=********,c=3",
    ),
    (
        "psql|password=x user=bob",
        "psql|password=******** user=bob",
    ),
    (
        "sh|-c|PGPASSWORD=a psql -h db",
        "sh|-c|PGPASSWORD=******** psql -h db",
    ),
    ("bash|-lc|mysql -pabc db", "bash|-lc|mysql -p******** db"),
    (
        "sh|-c|run --password 'a b' c",
        "sh|-c|run --password '********' c",
    ),
    ("mysql|-uroot|-pabc|db", "mysql|-uroot|-p********|db"),
    ("/usr/bin/mysqldump|-pabc", "/usr/bin/mysqldump|-p********"),
    ("mysqladmin|-pa", "mysqladmin|-p********"),
    ("mariadb|-pa b", "mariadb|-p********"),
    (
        "redis-cli|-h|r|-a|abc|ping",
        "redis-cli|-h|r|-a|********|ping",
    ),
    (
        "ldapsearch|-x|-D|cn=a|-w|abc|-W|-wabc",
        "ldapsearch|-x|-D|cn=a|-w|********|-W|-w********",
    ),
    ("mongosh|-u|a|-p|abc|db", "mongosh|-u|a|-p|********|db"),
    (
        "mosquitto_pub|-P|a b|-p|1883",
        "mosquitto_pub|-P|********|-p|1883",
    ),
    (
        "docker|login|-u|a|-p|abc|registry",
        "docker|login|-u|a|-p|********|registry",
    ),
    (
        "/usr/bin/podman|login|-p=abc|r",
        "/usr/bin/podman|login|-p=********|r",
    ),
    ("docker|-H|h|login|-pabc", "docker|-H|h|login|-p********"),
    (
        "sh|-c|docker login -p abc r",
        "sh|-c|docker login -p ******** r",
    ),
    (
        "sh|-c|redis-cli -a 'a b' ping",
        "sh|-c|redis-cli -a '********' ping",
    ),
    ("sshpass|-pabc|ssh|-p22|h", "sshpass|-p********|ssh|-p22|h"),
    (
        "sshpass|-v|-p|abc|ssh|-p|22",
        "sshpass|-v|-p|********|ssh|-p|22",
    ),
    ("curl|-u|bob:pw|x", "curl|-u|bob:********|x"),
    ("curl|-sSu|bob:pw|x", "curl|-sSu|bob:********|x"),
    ("curl|-ubob:pw", "curl|-ubob:********"),
    ("curl|--user|bob:p:w", "curl|--user|bob:********"),
    ("wget|--user=bob:pw", "wget|--user=bob:********"),
    (
        "curl|-H|Authorization: Bearer a",
        "curl|-H|Authorization: Bearer ********",
    ),
    (
        "curl|-HAuthorization: Bearer a",
        "curl|-HAuthorization: Bearer ********",
    ),
    (
        "curl|--header=X-Api-Key: a b",
        "curl|--header=X-Api-Key: ********",
    ),
    ("curl|-H|Cookie: a=b; c=d", "curl|-H|Cookie: ********"),
    (
        "curl|-H|Authorization:|Bearer|a",
        "curl|-H|Authorization:|Bearer|********",
    ),
    ("x|Bearer|abcdefghijklmnop", "x|Bearer|********"),
    (
        "curl|-d|{\"token\": \"a b\", \"c\": 1}",
        "curl|-d|{\"token\": \"********\", \"c\": 1}",
    ),
    (
        "x|https://u:p@h/?token=a&b=c",
        "x|https://u:********@h/?token=********&b=c",
    ),
    (
        "x|token|0123456789abcdef0123456789abcdef",
        "x|token|********",
    ),
    ("echo|password:|a", "echo|password:|********"),
    ("set|password|=|a", "set|password|=|********"),
    ("x|AKIAIOSFODNN7EXAMPLE", "x|********"),
    (
        "x|-----BEGIN KEY-----\nMIIE\n-----END KEY-----\n",
        "x|-----BEGIN KEY-----\n********\n-----END KEY-----\n",
    ),
    (
        "x|-----BEGIN|PRIVATE|KEY-----|MIIEabc|-----END|PRIVATE|KEY-----|y",
        "x|-----BEGIN|PRIVATE|KEY-----|********|-----END|PRIVATE|KEY-----|y",
    ),
];

const KEPT: &[&str] = &[
    "",
    "x||",
    "x|--author|bob|--keyboard=us|--tokenizer|bpe|--sort-key|name",
    "x|--max-tokens|5|--tokens=4|--authorized|yes",
    "x|--token-file|/run/x|--password-file=/y|--session-name|z",
    "docker|login|--password-stdin|registry",
    "x|--no-password|y|--no-session|z",
    "x|--password|--host|h",
    "x|--password=|h",
    "x|--password",
    "x|PWD=/srv/app|OLDPWD=/a b",
    "docker|run|-p8080:80|-p|1:2|mysql",
    "sudo|mysql|-p3306",
    "docker|compose|-p|login|up",
    "docker|run|image|login|-p|8080",
    "docker|login|-p|--username|a",
    "redis-cli|-p|6379|-a",
    "mongosh|-p|--host|h",
    "mosquitto_sub|-p|1883|-t|a",
    "mysql|-P3306|-p|db",
    "sshpass|-e|ssh|-p22|h",
    "sshpass|-f|file|ssh|-p|22|h",
    "curl|-u|bob|https://h:80/a@b",
    "ssh|-p22|u@h",
    "git|checkout|0123456789abcdef0123456789abcdef01234567",
    "cat|/etc/passwd|/run/secrets/token",
    "docker|-v|/etc/passwd:/etc/passwd:ro",
    "curl|https://token.example.org:443/x",
    "echo|password was wrong",
    "echo|Bearer tokens|Basic|usage",
    "passwd|bob",
    "grep|-----BEGIN|x.pem",
];

fn vector(line: &str) -> Vec<&[u8]> {
    line.split('|').map(str::as_bytes).collect()
}

fn joined(args: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&args.join(&b'|')).into_owned()
}

#[test]
fn masks() {
    for (args, expected) in MASKED {
        let got = scrubber().scrub_args(&vector(args));
        assert_eq!(joined(&got), *expected, "of {args}");
        let again = scrubber().scrub_args(&vector(expected));
        assert_eq!(again, got, "again, of {args}");
    }
}

#[test]
fn keeps() {
    for args in KEPT {
        let got = scrubber().scrub_args_if_needed(&vector(args));
        assert_eq!(got.map(|args| joined(&args)), None, "of {args}");
    }
}

#[test]
fn keeps_bytes_that_are_no_text() {
    let got = scrubber().scrub_args(&[b"\xff", b"--password", b"\xff", b"\xfe a"]);
    assert_eq!(got, [&b"\xff"[..], b"--password", b"********", b"\xfe a"]);
}
