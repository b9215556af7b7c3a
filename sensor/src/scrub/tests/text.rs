//! Text.

use super::{ScrubConfig, Scrubber, scrubber};

/// What goes in, what comes out.
const MASKED: &[(&str, &str)] = &[
    // Names and signs.
    ("password=hunter2", "password=********"),
    ("password: hunter2", "password: ********"),
    ("password => hunter2", "password => ********"),
    ("password=>'hunter 2', x", "password=>'********', x"),
    ("password := \"hunter2\"", "password := \"********\""),
    ("access-token=abc", "access-token=********"),
    ("accessToken=abc", "accessToken=********"),
    ("ACCESS_TOKEN=abc", "ACCESS_TOKEN=********"),
    ("accesstoken=abc", "accesstoken=********"),
    ("db.password=abc", "db.password=********"),
    ("keyStorePassword=abc", "keyStorePassword=********"),
    ("DBPassword=abc", "DBPassword=********"),
    ("PASS_WORD=abc", "PASS_WORD=********"),
    ("password2=abc", "password2=********"),
    ("DB_PASSWORD_PROD=abc", "DB_PASSWORD_PROD=********"),
    ("user[password]=abc", "user[password]=********"),
    ("X-Api-Key: abc def=1", "X-Api-Key: ******** def=1"),
    ("api key: abc=", "api key: ********"),
    ("stripeToken=abc", "stripeToken=********"),
    ("MYSQL_PWD=/x", "MYSQL_PWD=********"),
    ("PWD=hunter2", "PWD=********"),
    (
        "login password=hunter2 user=bob",
        "login password=******** user=bob",
    ),
    ("login(password=hunter2).", "login(password=********)."),
    ("password=hunter2, user=bob", "password=********, user=bob"),
    ("password=a,b;c user=bob", "password=******** user=bob"),
    (
        "Server=x;Password=abc;User Id=y",
        "Server=x;Password=********;User Id=y",
    ),
    ("GET /?token=abc&x=y HTTP", "GET /?token=********&x=y HTTP"),
    (
        "java -Dpassword=x -jar a.jar",
        "java -Dpassword=******** -jar a.jar",
    ),
    ("token_file=/a token=b", "token_file=/a token=********"),
    ("a\\npassword=x", "a\\npassword=********"),
    (
        "\x1b[3mtoken\x1b[0m\x1b[2m=\x1b[0mabc\x1b[0m x",
        "\x1b[3mtoken\x1b[0m\x1b[2m=\x1b[0m********\x1b[0m x",
    ),
    (
        "encryption_key=a signing_key: b",
        "encryption_key=******** signing_key: ********",
    ),
    ("db_pw=a pw=b", "db_pw=******** pw=********"),
    ("auth api_key: abc", "auth api_key: ********"),
    ("pass _password: %abc", "pass _password: ********"),
    // Signed URLs, pairs within a value, attributes.
    (
        "https://a.blob.core.windows.net/c?sv=2022&sig=abcdefghijk%2Fdef%3D failed",
        "https://a.blob.core.windows.net/c?sv=2022&sig=******** failed",
    ),
    (
        "https://b/k?X-Amz-Signature=0a1b&X-Goog-Signature=c2d3 x",
        "https://b/k?X-Amz-Signature=********&X-Goog-Signature=******** x",
    ),
    (
        "body user%3Dx%26password%3Da%2Bb%26b%3D2",
        "body user%3Dx%26password%3D********%26b%3D2",
    ),
    (
        "<add key=\"ApiKey\" value=\"a b\" /> <property name='password' value='c'/>",
        "<add key=\"ApiKey\" value=\"********\" /> <property name='password' value='********'/>",
    ),
    // URLs and the like with more in them than they should have.
    (
        "postgres://bob:a/b@db:5432/x",
        "postgres://bob:********@db:5432/x",
    ),
    (
        "git clone https://abcdefghijklmnopqrstuvwx@host/x.git",
        "git clone https://********@host/x.git",
    ),
    (
        "jdbc:oracle:thin:scott/tiger@//db:1521/x",
        "jdbc:oracle:thin:scott/********@//db:1521/x",
    ),
    (
        "POST https://hooks.slack.com/services/T00/B00/abcDEF 500",
        "POST https://hooks.slack.com/services/******** 500",
    ),
    // What PHP shows of calls.
    (
        "#0 /a.php(3): PDO->__construct('mysql:host=db', 'root', 'hunter 2')",
        "#0 /a.php(3): PDO->__construct('mysql:host=db', 'root', '********')",
    ),
    (
        "#1 /b.php(9): mysqli_connect('db', 'root', 'a') #2 ldap_bind(Object(LDAP\\Connection), 'cn', 'b')",
        "#1 /b.php(9): mysqli_connect('db', 'root', '********') #2 ldap_bind(Object(LDAP\\Connection), 'cn', '********')",
    ),
    (
        "mysqli_real_connect(Object(mysqli), 'h', 'u', 'a', 'db') mysqli->__construct(NULL, 'u', 'b')",
        "mysqli_real_connect(Object(mysqli), 'h', 'u', '********', 'db') mysqli->__construct(NULL, 'u', '********')",
    ),
    ("whsec_abcdefghijklmnop1", "********"),
    (
        "next=%2Fcb%3Ftoken%3Dabc%26user%3Dbob&x=%26pass%3Dx1y2",
        "next=%2Fcb%3Ftoken%3D********%26user%3Dbob&x=%26pass%3D********",
    ),
    // Quotes.
    ("password=\"a b\" x", "password=\"********\" x"),
    ("password='a b' x", "password='********' x"),
    ("password=\"a\\\" b\" x", "password=\"********\" x"),
    ("password=b'a b' x", "password=b'********' x"),
    ("password=\"torn apart", "password=\"********"),
    ("password=it's x", "password=******** x"),
    (
        "{\"password\":\"a b\",\"user\":\"c\"}",
        "{\"password\":\"********\",\"user\":\"c\"}",
    ),
    (
        "{\"password\": 1234, \"user\": 1}",
        "{\"password\": ********, \"user\": 1}",
    ),
    (
        "{\"password\":1234,\"user\":1}",
        "{\"password\":********,\"user\":1}",
    ),
    ("{'token': 'a', 'b': 1}", "{'token': '********', 'b': 1}"),
    (
        "{\"m\":\"{\\\"token\\\":\\\"a b\\\",\\\"u\\\":1}\"}",
        "{\"m\":\"{\\\"token\\\":\\\"********\\\",\\\"u\\\":1}\"}",
    ),
    (
        "{\"m\":\"{\\\"token\\\":\\\"a\\\\\\\"b\\\",\\\"u\\\":1}\"}",
        "{\"m\":\"{\\\"token\\\":\\\"********\\\",\\\"u\\\":1}\"}",
    ),
    (
        "{\"msg\":\"got password=abc\",\"u\":1}",
        "{\"msg\":\"got password=********\",\"u\":1}",
    ),
    (
        "{\"tok\":1,\"token\":[\"a\",\"b\"],\"u\":1}",
        "{\"tok\":1,\"token\":********,\"u\":1}",
    ),
    (
        "[{\"name\":\"DB_PASSWORD\",\"value\":\"abc\"}]",
        "[{\"name\":\"DB_PASSWORD\",\"value\":\"********\"}]",
    ),
    ("  password: correct horse battery", "  password: ********"),
    ("- token: abc", "- token: ********"),
    ("<password>a b</password>", "<password>********</password>"),
    // Options.
    ("run --password hunter2 -v", "run --password ******** -v"),
    ("run --password 'a b' -v", "run --password '********' -v"),
    ("run --password=hunter2 -v", "run --password=******** -v"),
    (
        "Command '['run', '--password', 'a b', '-v']' failed",
        "Command '['run', '--password', '********', '-v']' failed",
    ),
    (
        "[\"run\",\"--token\",\"abc\"]",
        "[\"run\",\"--token\",\"********\"]",
    ),
    (
        "Command '['/usr/bin/mysqldump', '-u', 'root', '-pabc', 'db']' failed",
        "Command '['/usr/bin/mysqldump', '-u', 'root', '-p********', 'db']' failed",
    ),
    ("run -token abc", "run -token ********"),
    (
        "sh -c \"run --token abc\"",
        "sh -c \"run --token ********\"",
    ),
    // Headers.
    (
        "Authorization: Bearer abc",
        "Authorization: Bearer ********",
    ),
    (
        "Authorization: Basic dTpw x=1",
        "Authorization: Basic ******** x=1",
    ),
    ("authorization: abc", "authorization: ********"),
    (
        "-H 'Authorization: Bearer abc' x",
        "-H 'Authorization: Bearer ********' x",
    ),
    (
        "{\"Authorization\":\"Bearer abc\"}",
        "{\"Authorization\":\"********\"}",
    ),
    (
        "('Authorization', 'Bearer abc')",
        "('Authorization', 'Bearer ********')",
    ),
    (
        "Authorization: Digest username=\"a\", response=\"b\"",
        "Authorization: ********",
    ),
    ("Cookie: sid=abc; theme=dark", "Cookie: ********"),
    ("-H 'Cookie: a=b; c=d' x", "-H 'Cookie: ********' x"),
    (
        "Set-Cookie: sid=abc; Path=/; HttpOnly",
        "Set-Cookie: ********",
    ),
    ("sent Bearer 0123456789abcdef.x", "sent Bearer ********"),
    ("sent bearer abcdefghijklmnop", "sent bearer ********"),
    ("sent Basic dXNlcjpwYXNzd29yZA==", "sent Basic ********"),
    // URLs.
    ("postgres://u:p@h/db", "postgres://u:********@h/db"),
    (
        "postgres://u:p@ss@h:5432/db?x=y",
        "postgres://u:********@h:5432/db?x=y",
    ),
    ("redis://:pw@h", "redis://:********@h"),
    ("\"http:\\/\\/u:p@h\\/\"", "\"http:\\/\\/u:********@h\\/\""),
    // Keys.
    ("id AKIAIOSFODNN7EXAMPLE.", "id ********."),
    (
        "x ghp_abcdefghijklmnopqrstuvwxyz0123456789 y",
        "x ******** y",
    ),
    ("x xoxb-123456789012-abcdef y", "x ******** y"),
    (
        "x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc y",
        "x ******** y",
    ),
    (
        "token 0123456789abcdef0123456789abcdef x",
        "token ******** x",
    ),
    (
        "api key is 0123456789abcdef0123456789abcdef01234567",
        "api key is ********",
    ),
    // Programs.
    (
        "sh -c 'mysql -uroot -pabc db'",
        "sh -c 'mysql -uroot -p******** db'",
    ),
    (
        "/usr/bin/sshpass -p abc ssh -p 22 h",
        "/usr/bin/sshpass -p ******** ssh -p 22 h",
    ),
    ("curl -u bob:pw https://h", "curl -u bob:******** https://h"),
    (
        "curl -u 'bob:p w' https://h",
        "curl -u 'bob:********' https://h",
    ),
    (
        "mysql -u root -p's3 cret' db",
        "mysql -u root -p'********' db",
    ),
    ("Session ID: abc", "Session ID: ********"),
    ("password=${DB_PASSWORD} x", "password=******** x"),
    ("PASSWORD=$(cat /run/x) y", "PASSWORD=******** y"),
    // PEM.
    (
        "a\n-----BEGIN RSA PRIVATE KEY-----\r\nMIIEpAIBAAKCAQEA\r\nQw==\r\n-----END RSA PRIVATE KEY-----\nb\n",
        "a\n-----BEGIN RSA PRIVATE KEY-----\r\n********\r\n********\r\n-----END RSA PRIVATE KEY-----\nb\n",
    ),
    (
        "x \"-----BEGIN KEY-----\\nMIIE\\n-----END KEY-----\\n\" y",
        "x \"-----BEGIN KEY-----********-----END KEY-----\\n\" y",
    ),
    (
        "private_key: -----BEGIN KEY-----\n  MIIE\n  -----END KEY-----\nuser: bob",
        "private_key: ********\n  ********\n  -----END KEY-----\nuser: bob",
    ),
    (
        "12:00 app: -----BEGIN KEY-----\n12:00 app: MIIEpAIBAAKCAQEAMIIEpAIBAAKCAQEA\n12:00 app: -----END KEY-----",
        "12:00 app: -----BEGIN KEY-----\n12:00 app: ********\n12:00 app: -----END KEY-----",
    ),
];

/// Ordinary text.
const KEPT: &[&str] = &[
    "killed sig=9 sig=SIGTERM design=1 signal=11",
    "http://host:8080/path@2x.png http://a/b?user:x@y redis://host:6379/0?a=b@c",
    "https://someone.with.a.long.name@host/x.git",
    "mysqli_connect('db', 'root') mysqli->query('a', 'b')",
    "password %3D x, wafer-thin:crust/pizza,list@example.com",
    "file://C:/Users/me@x s3://bucket:eu/key@v npm://registry:latest/@scope/pkg@1",
    "name=\"password\" value",
    "",
    "\r\n",
    "author=bob keyboard: us tokenizer=bpe --sort-key name monkey=1",
    "tokens=5 max_tokens=7 authorized=yes cookies: 3 sessions=4 passwords: 2",
    "password was wrong",
    "private_key: |",
    "unexpected token in JSON at position 4",
    "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    "the session has ended, the secret is out",
    "--token-file /run/x --password-stdin user",
    "password_file=/x token.path: /y secretName=z",
    "token_type=bearer tokenCount: 5 cookie_length=3 PASSWORD_FILE=/x",
    "{\"token_type\":\"Bearer\",\"expires_in\":3600}",
    "--no-password x no_token=1",
    "PWD=/srv/app OLDPWD=/srv",
    "\"PWD\": \"/srv\"",
    "{\"token\":null,\"session\":\"\",\"cookie\": []}",
    "password= user=bob",
    "--password --host x",
    "['run', '--password', '--host', 'x']",
    "['mysql', '-p', 'app']",
    "Bearer tokens are checked",
    "Basic usage",
    "WWW-Authenticate: Basic realm=\"x\"",
    "https://example.org:8443/a@b?x=c@d ssh://git@example.org/x",
    "http://h:80?mail=a@b",
    "cat: /etc/passwd: Permission denied",
    "-v /etc/passwd:/etc/passwd:ro",
    "at TokenFilter.doFilter(TokenFilter.java:42)",
    "  at session.js:10:5",
    "src/token.rs:12:5: error",
    "java.lang.X: y\n\tat com.Session.open(Session.java:3)",
    "Caused by: com.x.TokenExpiredException: it has expired",
    "Session::open token::next()",
    "https://token.example.org:443/x token.example.org:443",
    "pam_unix(sshd:session): session opened for user root",
    "passwd[123]: password changed for bob",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "etag 0123456789abcdef0123456789abcdef",
    "mysql -P3306 -p db",
    "docker run -p8080:80 mysql -e x",
    "sshpass -f file ssh -p 22 h",
    "curl -u bob https://h",
    "AKIAshort eyJhbGci ghp_short xox skip-this",
    "no BEGIN here ----- and no END",
    "expected \"-----BEGIN CERTIFICATE-----\" in the file\nthen this line",
    "-----BEGIN KEY-----\nan ordinary line follows\nuser=bob",
];

#[test]
fn masks() {
    for (text, expected) in MASKED {
        let got = scrubber().scrub_text(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&got), *expected, "of {text}");
        let again = scrubber().scrub_text(&got);
        assert_eq!(again, got, "again, of {text}");
    }
}

#[test]
fn keeps() {
    for text in KEPT {
        let got = scrubber().scrub_text(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&got), *text);
    }
}

#[test]
fn keeps_bytes_that_are_no_text() {
    let got = scrubber().scrub_text(b"\xff\xfe password=\xff\xfe \x80\r\n\x00");
    assert_eq!(got, b"\xff\xfe password=******** \x80\r\n\x00");
}

#[test]
fn counts_what_it_masks() {
    let scrubber = Scrubber::new(&ScrubConfig::default()).unwrap();
    scrubber.scrub_text(b"password=a token=b\nsecret=******** x\n");
    assert_eq!(scrubber.replacements(), 2);
}
