//! The gateway example as its users run it: exit codes, first lines, two protocols, TLS, the
//! admin address, SIGTERM.

#[path = "support/built.rs"]
mod built;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use built::binary;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use tower_bedrock::eventstream::event;

const CONVERSE: &str = "/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/converse";
const BODY: &str = r#"{"messages":[{"role":"user","content":[{"text":"hello there"}]}]}"#;

/// Runs the gateway to its end.
fn run(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        Command::new(binary("gateway")).args(args).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

struct Running {
    child: Child,
    out: Option<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(name: &str, args: &[&str]) -> Self {
        Self::of(Command::new(binary(name)).args(args))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().map(BufReader::new);
        Self { child, out }
    }

    /// A gateway on free ports, and what follows `listening on http://`.
    fn gateway(args: &[&str]) -> (Self, String) {
        let mut all = vec!["--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut gateway = Self::start("gateway", &all);
        let line = gateway.line();
        let address = line
            .strip_prefix("listening on http://")
            .expect(&line)
            .to_owned();
        (gateway, address)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What follows `prefix` on the next line that begins with it.
    fn after(&mut self, prefix: &str) -> String {
        (0..20)
            .find_map(|_| self.line().strip_prefix(prefix).map(str::to_owned))
            .unwrap_or_else(|| panic!("no line begins with {prefix}"))
    }

    #[cfg(unix)]
    fn terminate(&self) {
        self.signal("-TERM");
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                start.elapsed() < Duration::from_secs(40),
                "it does not stop"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own: status, head and body.
fn send(
    address: &str,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let host = format!("host: {address}\r\n{headers}");
    let headers = match headers.contains("host:") {
        true => headers,
        false => &host,
    };
    send_without_host(address, method, target, headers, body)
}

/// [`send`], with no headers but these.
fn send_without_host(
    address: &str,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head[9..12].parse().unwrap(),
        head.to_lowercase(),
        body.to_owned(),
    )
}

fn get(address: &str, target: &str, headers: &str) -> (u16, Value) {
    let (status, _, body) = send(address, "GET", target, headers, "");
    (status, serde_json::from_str(&body).unwrap())
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("example-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn options() {
    for (args, words) in [
        (&["--colour"][..], "unknown option --colour"),
        (&["extra"], "unknown option extra"),
        (&["--listen"], "--listen needs a value"),
        (&["--listen", "nowhere"], "--listen"),
        (&["--tls-cert", "a.pem"], "--tls-key"),
        (&["--endpoint", "ftp://x"], "--endpoint"),
        (&["--config", "/nowhere/g.toml"], "/nowhere/g.toml"),
        (&["--log-file", "/nowhere/log"], "--log-file"),
        (
            &["--tls-cert", "/nowhere/c", "--tls-key", "/nowhere/k"],
            "--tls-cert",
        ),
        (
            &["--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"],
            "admin_token",
        ),
    ] {
        let (code, stderr) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    let help = Command::new(binary("gateway"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(help.status.success());
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("--tls-cert FILE")
    );
}

#[test]
fn configuration() {
    let file = folder("configuration").join("bad.toml");
    fs::write(
        &file,
        "[[gateway]]\naccount_id = \"a\"\ngateway_id = \"b\"\ntokens = [\"\"]\n",
    )
    .unwrap();
    let (code, stderr) = run(&["--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("bad.toml:4: gateway.tokens: "), "{stderr}");
}

#[test]
fn taken_addresses() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stderr) = run(&["--listen", &address]);
    assert_eq!(
        (code, stderr.contains(&address)),
        (Some(1), true),
        "{stderr}"
    );
    let (code, stderr) = run(&["--listen", "127.0.0.1:0", "--admin", &address]);
    assert_eq!(
        (code, stderr.contains("--admin")),
        (Some(1), true),
        "{stderr}"
    );
}

#[test]
fn demo() {
    let log = folder("demo").join("records.jsonl");
    let (mut gateway, address) = Running::gateway(&[
        "--admin",
        "127.0.0.1:0",
        "--log-file",
        log.to_str().unwrap(),
    ]);
    assert!(gateway.line().starts_with("emulator on http://127.0.0.1:"));
    let admin = gateway.after("admin on http://");
    let url = format!("\"http://{address}/v1/demo/demo");
    for rest in [
        "/invoke\"",
        "/converse\"",
        "/converse-stream\"",
        "/compat/chat/completions\"",
    ] {
        let command = gateway.after("curl");
        assert!(
            command.contains(&url) && command.contains(rest),
            "{command}"
        );
    }

    let token = "cf-aig-authorization: Bearer demo-token\r\ncontent-type: application/json\r\n";
    let (status, head, body) = send(&address, "POST", CONVERSE, token, BODY);
    assert_eq!(status, 200, "{head}{body}");
    assert!(body.contains("hello there"), "{body}");
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("cf-aig-log-id: "))
        .unwrap();
    let (status, _, body) = send(&address, "POST", CONVERSE, "", BODY);
    assert_eq!(status, 401, "{body}");

    let (status, health) = get(&admin, "/health", "");
    assert_eq!((status, health["status"].as_str()), (200, Some("ok")));
    let (status, logs) = get(&admin, "/logs?page=1&per_page=1", "");
    assert_eq!(status, 200);
    assert_eq!(logs["result"][0]["status_code"], 401);
    assert_eq!(logs["result"].as_array().unwrap().len(), 1);
    let info = serde_json::json!({ "page": 1, "per_page": 1, "count": 1, "total_count": 2 });
    assert_eq!(logs["result_info"], info);
    let (_, logs) = get(&admin, "/logs?per_page=1&page=2", "");
    assert_eq!(logs["result"][0]["id"], *id);
    let (_, logs) = get(&admin, "/logs?page=18446744073709551615&per_page=100", "");
    assert_eq!(
        (
            &logs["result_info"]["count"],
            &logs["result_info"]["total_count"]
        ),
        (&0.into(), &2.into())
    );
    let (status, record) = get(&admin, &format!("/logs/{id}"), "");
    assert_eq!(
        (status, &record["result"]["status_code"]),
        (200, &200.into())
    );
    assert_eq!(record["result"]["provider"], "aws-bedrock");

    for (target, expected) in [
        ("/logs?page=0", 400),
        ("/logs?page=-1", 400),
        ("/logs?page=%2B1", 400),
        ("/logs?page=+1", 400),
        ("/logs?page=", 400),
        ("/logs?per_page=101", 400),
        ("/logs?per_page=x", 400),
        ("/logs/unknown", 404),
        ("/metrics/", 404),
        ("/", 404),
        ("/logs?per_page=0", 400),
        ("/logs?per_page=-1", 400),
        ("/logs?per_page=1e9", 400),
        ("/logs?per_page=1000000000", 400),
        ("/logs?page=1e9", 400),
        ("/logs?colour=red", 400),
        ("/logs?model%5Bis%5D=x", 400),
        ("/logs?order_by=nothing", 400),
        ("/logs?direction=up", 400),
        ("/logs?status_code=ok", 400),
        ("/logs?success=1", 400),
        ("/logs?min_model=1", 400),
        ("/logs?min_cost=NaN", 400),
        ("/logs?start_date=yesterday", 400),
        ("/logs?start_date=2026-02-30", 400),
        ("/logs?start_date=2026-01-02T03:04:05", 400),
        ("/logs?start_date=2026-01-02T03:04:05%2B99:00", 400),
        ("/logs?end_date=%C3%A9%C3%A9%C3%A9%C3%A9", 400),
        ("/logs?search=%2", 400),
        ("/logs?search=%ff", 400),
        ("/logs?filters=x", 400),
        ("/logs?filters=%5B%7B%22key%22:%22model%22%7D%5D", 400),
        (
            "/logs?filters=%5B%7B%22key%22:%22id';DROP%20TABLE%20logs%22,%22value%22:1%7D%5D",
            400,
        ),
    ] {
        let (status, answer) = get(&admin, target, "");
        assert_eq!(status, expected, "{target}");
        assert!(answer["error"]["message"].is_string(), "{target}");
    }
    for method in ["POST", "OPTIONS", "DELETE", "PUT"] {
        let (status, head, _) = send(&admin, method, "/logs", "", "");
        assert_eq!((status, head.contains("allow: get, head\r\n")), (405, true));
    }
    for target in ["/health", "/metrics", "/logs", &format!("/logs/{id}")] {
        let (status, head, body) = send(&admin, "HEAD", target, "", "");
        assert_eq!((status, &*body), (200, ""), "{target}");
        let length = |head: &str| -> usize {
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            length.unwrap().parse().unwrap()
        };
        assert!(length(&head) > 0, "{target}: {head}");
    }
    assert_eq!(send(&admin, "HEAD", "/nothing", "", "").0, 404);
    for (host, expected) in [
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example:8788", 403),
        ("10.0.0.1", 403),
        ("", 403),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:8788", 200),
    ] {
        let (status, _) = get(&admin, "/health", &format!("host: {host}\r\n"));
        assert_eq!(status, expected, "{host}");
    }
    let (status, _) = get(
        &admin,
        "/health",
        "host: localhost\r\nhost: evil.example\r\n",
    );
    assert_eq!(status, 403);

    #[cfg(unix)]
    {
        gateway.terminate();
        assert_eq!(gateway.exit_code(), Some(0));
        let records = fs::read_to_string(log).unwrap();
        let records: Vec<Value> = records
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(records.len(), 2);
        assert_eq!(
            (&records[0]["id"], &records[1]["status_code"]),
            (&Value::from(id), &401.into())
        );
    }
}

/// Filters, order and pages of `/logs`, and the same requests in `/metrics`.
#[test]
fn logs_and_metrics() {
    let (mut gateway, address) = Running::gateway(&["--admin", "127.0.0.1:0"]);
    let admin = gateway.after("admin on http://");
    let path = |model: &str| {
        format!("/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/{model}/converse")
    };
    let token = "cf-aig-authorization: Bearer demo-token\r\ncontent-type: application/json\r\n";
    for (model, headers, expected) in [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", token, 200),
        ("amazon.nova-lite-v1:0", token, 200),
        ("amazon.nova-fault.error-429", token, 429),
        ("a%22b%0Ac", token, 400),
        ("amazon.nova-lite-v1:0", "", 401),
    ] {
        let (status, _, body) = send(&address, "POST", &path(model), headers, BODY);
        assert_eq!(status, expected, "{model}: {body}");
    }
    let statuses = |query: &str| -> Vec<u64> {
        let (status, logs) = get(&admin, &format!("/logs?{query}"), "");
        assert_eq!(status, 200, "{query}: {logs}");
        let found = logs["result"].as_array().unwrap().iter();
        found
            .map(|record| record["status_code"].as_u64().unwrap())
            .collect()
    };
    let filters = |json: &str| {
        let bytes = json.bytes().map(|byte| format!("%{byte:02x}"));
        format!("filters={}", bytes.collect::<String>())
    };
    for (query, expected) in [
        ("", &[401, 400, 429, 200, 200][..]),
        ("direction=asc", &[200, 200, 429, 400, 401]),
        ("order_by=status_code", &[429, 401, 400, 200, 200]),
        ("order_by=tokens&direction=asc&success=true", &[200, 200]),
        ("per_page=2&page=2&order_by=status_code", &[400, 200]),
        ("success=true", &[200, 200]),
        ("success[neq]=true", &[401, 400, 429]),
        ("outcome=refused", &[401, 400]),
        ("outcome=upstream_error", &[429]),
        ("status_code=429", &[429]),
        ("status_code[gt]=400", &[401, 429]),
        ("status_code%5Blt%5D=400.5", &[400, 200, 200]),
        ("min_status_code=400&max_status_code=401", &[401, 400]),
        ("model=amazon.nova-lite-v1:0&status_code=200", &[200]),
        ("model[contains]=CLAUDE", &[200]),
        ("gateway_id=demo&success=true", &[200, 200]),
        ("gateway_id=other", &[]),
        ("min_tokens=1", &[200, 200]),
        ("metadata.team=red", &[]),
        ("search=throttling", &[429]),
        ("path[contains]=a%2522b%250Ac", &[400]),
        ("start_date=2020-01-01&end_date=2020-01-02T00:00:00Z", &[]),
        (
            "start_date=2020-01-01T00:00:00Z",
            &[401, 400, 429, 200, 200],
        ),
        (
            &filters(r#"[{"key":"status_code","operator":"eq","value":["401",429]}]"#),
            &[401, 429],
        ),
        (
            &filters(
                r#"[{"key":"status_code","operator":"neq","value":["401",429]},{"key":"success","value":false}]"#,
            ),
            &[400],
        ),
        (
            &filters(r#"[{"key":"model","operator":"contains","value":["nova","';--"]}]"#),
            &[401, 429, 200],
        ),
    ] {
        assert_eq!(statuses(query), expected, "{query}");
    }
    // At one moment, in whichever offset it is told.
    let (_, logs) = get(&admin, "/logs", "");
    let all = logs["result"].as_array().unwrap();
    let created = all[0]["created_at"].as_str().unwrap();
    let moment = OffsetDateTime::parse(created, &Rfc3339).unwrap();
    let then = all
        .iter()
        .filter(|record| record["created_at"] == *created)
        .count();
    for (hours, minutes) in [(0, 0), (5, 30), (-3, 0), (14, 0)] {
        let offset = UtcOffset::from_hms(hours, minutes, 0).unwrap();
        let there = moment.to_offset(offset).format(&Rfc3339).unwrap();
        for told in [there.clone(), there.replace('+', "%2B")] {
            let found = statuses(&format!("start_date={told}&end_date={told}"));
            assert_eq!(found.len(), then, "{told}");
            let before = (moment - Duration::from_millis(1)).to_offset(offset);
            let before = before.format(&Rfc3339).unwrap();
            let found = statuses(&format!("start_date={told}&end_date={before}"));
            assert_eq!(found.len(), 0, "{told} {before}");
        }
    }
    // Every field of a record can be asked for.
    let (_, logs) = get(&admin, "/logs?per_page=1", "");
    let fields = logs["result"][0].as_object().unwrap();
    assert!(fields.len() > 30 && !fields.contains_key("request_body"));
    for field in fields.keys().filter(|field| *field != "metadata") {
        let (status, _) = get(&admin, &format!("/logs?{field}[contains]=x"), "");
        assert_eq!(status, 200, "{field}");
    }

    let quoted = path("amazon.nova-%22b%22");
    send(&address, "POST", &quoted, token, BODY);
    let (status, head, text) = send(&admin, "GET", "/metrics", "", "");
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let mut total = 0.0;
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        if line.starts_with("tower_bedrock_requests_total{") {
            total += value;
        }
    }
    assert_eq!(total, 6.0, "{text}");
    // Models that nobody has had an answer from are not told apart.
    assert!(
        !text.contains("nova-fault") && !text.contains("nova-\\\"b"),
        "{text}"
    );
    assert!(text.contains(r#"gen_ai_request_model="other""#), "{text}");
    assert!(
        text.contains(r#"gen_ai_client_token_usage_bucket{"#),
        "{text}"
    );
}

/// A record costs disk, and none of a request: what cannot be written is said once.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let folder = folder("full");
    let stderr = folder.join("stderr");
    let mut command = Command::new(binary("gateway"));
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.args(["--log-file", "/dev/full"]);
    command.stderr(fs::File::create(&stderr).unwrap());
    let mut gateway = Running::of(&mut command);
    let address = gateway.after("listening on http://");
    let admin = gateway.after("admin on http://");
    let token = "authorization: Bearer demo-token\r\n";
    let lost = || {
        let (_, _, text) = send(&admin, "GET", "/metrics", "", "");
        let line = text
            .lines()
            .find(|line| line.contains("lost_total{sink=\"json_lines\"}"));
        line.unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    for _ in 0..5 {
        assert_eq!(send(&address, "POST", CONVERSE, token, BODY).0, 200);
    }
    let begun = Instant::now();
    while lost() < 5.0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(100));
    }
    let said = fs::read_to_string(&stderr).unwrap();
    let said: Vec<_> = said.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    for word in ["records are lost", "json_lines", "No space left"] {
        assert!(said[0].contains(word), "{}", said[0]);
    }
}

/// A disk that is full in the middle of a line, and has room again later.
#[cfg(unix)]
#[test]
fn no_half_of_a_line() {
    let log = folder("torn").join("records.jsonl");
    let mut command = Command::new("sh");
    // 4 KiB, of a file; pipes and sockets are none.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    command.arg("-c").arg(limited).arg(binary("gateway"));
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.arg("--log-file").arg(&log).stderr(Stdio::null());
    let mut gateway = Running::of(&mut command);
    let address = gateway.after("listening on http://");
    let token = "authorization: Bearer demo-token\r\n";
    let ask = || assert_eq!(send(&address, "POST", CONVERSE, token, BODY).0, 200);
    let lines = || -> usize {
        let text = fs::read_to_string(&log).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        for line in text.lines() {
            serde_json::from_str::<Value>(line).expect(line);
        }
        text.lines().count()
    };
    let wait = |least| {
        let begun = Instant::now();
        // What is being written is seen in halves.
        while fs::read(&log)
            .unwrap()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            < least
        {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    for _ in 0..8 {
        ask();
    }
    wait(2);
    std::thread::sleep(Duration::from_millis(500));
    let before = lines();
    assert!((2..8).contains(&before), "{before} lines in 4 KiB");
    // As who makes room does.
    fs::OpenOptions::new()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(0)
        .unwrap();
    ask();
    wait(1);
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
    assert!(lines() >= 1);
}

/// As logrotate does it.
#[cfg(unix)]
#[test]
fn a_log_file_that_is_renamed() {
    let folder = folder("rotated");
    let [log, old, errors] = ["records.jsonl", "records.jsonl.1", "stderr"].map(|n| folder.join(n));
    let mut command = Command::new(binary("gateway"));
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.arg("--log-file").arg(&log);
    command.stderr(fs::File::create(&errors).unwrap());
    let mut gateway = Running::of(&mut command);
    let address = gateway.after("listening on http://");
    let token = "authorization: Bearer demo-token\r\n";
    let ask = || assert_eq!(send(&address, "POST", CONVERSE, token, BODY).0, 200);
    let lines = |path: &Path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    let wait = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let said = |words: &str| fs::read_to_string(&errors).unwrap().matches(words).count();
    ask();
    wait("the first record", &|| lines(&log) == 1);
    fs::rename(&log, &old).unwrap();
    ask();
    wait("that under its new name", &|| lines(&old) == 2);
    gateway.signal("-HUP");
    wait("a new file", &|| log.exists());
    ask();
    ask();
    wait("two records there", &|| lines(&log) == 2);
    assert_eq!((lines(&old), said("reopened the log file")), (2, 1));

    // If it cannot be opened, the old one is kept, and the gateway runs on.
    fs::rename(&log, &old).unwrap();
    fs::create_dir(&log).unwrap();
    gateway.signal("-HUP");
    wait("a warning", &|| said("cannot reopen the log file") == 1);
    ask();
    wait("one record more", &|| lines(&old) == 3);
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
}

/// For whoever may do everything, there is no file that is read-only.
#[cfg(unix)]
#[test]
fn a_log_file_that_is_read_only() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;

    let folder = env::temp_dir().join(format!("tower-bedrock-nobody-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let is_root = fs::metadata(&folder).unwrap().uid() == 0;
    let log = folder.join("records.jsonl");
    fs::write(&log, "").unwrap();
    fs::set_permissions(&log, PermissionsExt::from_mode(0o444)).unwrap();
    let mut program = binary("gateway");
    if is_root {
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        // Where nobody in particular may run it.
        let copy = folder.join("gateway");
        fs::copy(&program, &copy).unwrap();
        program = copy;
    }
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.arg("--log-file").arg(&log);
    if is_root {
        command.uid(NOBODY);
    }
    let output = command.output();
    fs::remove_dir_all(&folder).unwrap();
    let Output { status, stderr, .. } = output.unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{stderr}");
    for words in ["--log-file", "records.jsonl", "Permission denied"] {
        assert!(stderr.contains(words), "{stderr}");
    }
}

/// What the file says of records: their bodies, what they cost, and what the client is told of it.
#[test]
fn records_as_the_file_wants_them() {
    let mut emulator = Running::start("emulator", &[]);
    let endpoint = format!("http://{}", emulator.after("emulator on http://"));
    let file = folder("records").join("g.toml");
    let text = r#"
drain = { ms = 20000, bytes = 1000000 }
payloads = { request = 10, response = 100000 }
usage_headers = 100000
[[price]]
model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
input = 1
output = 1
[[gateway]]
account_id = "demo"
gateway_id = "demo"
tokens = ["demo-token"]
[[gateway.provider_key]]
accessKeyId = "AKIAIOSFODNN7EXAMPLE"
secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
region = "us-east-1"
"#;
    fs::write(&file, text).unwrap();
    let args = ["--admin", "127.0.0.1:0", "--endpoint", &endpoint];
    let args = [&args[..], &["--config", file.to_str().unwrap()]].concat();
    let (mut gateway, address) = Running::gateway(&args);
    let admin = gateway.after("admin on http://");
    let token = "authorization: Bearer demo-token\r\ncontent-type: application/json\r\n";
    let (status, head, body) = send(&address, "POST", CONVERSE, token, BODY);
    assert_eq!(status, 200, "{body}");
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = lines.find(|(found, _)| *found == name).expect(name);
        value.to_owned()
    };
    let tokens = |name: &str| -> f64 {
        let name = format!("x-bedrock-usage-tokens-{name}");
        header(&name).parse().unwrap()
    };
    let cost: f64 = header("x-bedrock-usage-cost").parse().unwrap();
    let expected = (tokens("in") + tokens("out")) / 1e6;
    assert!((cost - expected).abs() < 1e-12, "{cost} {expected}");
    let (_, record) = get(&admin, &format!("/logs/{}", header("cf-aig-log-id")), "");
    let record = &record["result"];
    assert_eq!(record["request_body"]["text"], BODY[..10]);
    assert_eq!(record["request_body"]["complete"], false);
    assert_eq!(record["response_body"]["text"], *body);
    assert_eq!(record["cost"], cost);

    // A client that leaves in mid-answer.
    let target =
        CONVERSE.replace("claude-haiku-4-5-20251001-v1:0", "fault.slow-frames-50") + "-stream";
    let mut stream = TcpStream::connect(&address).unwrap();
    let length = BODY.len();
    write!(
        stream,
        "POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n{token}\r\n{BODY}"
    )
    .unwrap();
    stream.read_exact(&mut [0; 600]).unwrap();
    drop(stream);
    let begun = Instant::now();
    loop {
        let (_, logs) = get(&admin, "/logs?outcome=client_disconnect", "");
        if let Some(record) = logs["result"].get(0) {
            assert!(record["tokens_out"].as_u64() > Some(0), "{record}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no record");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Over the limit of the file, and not over that of the library.
#[test]
fn bodies_as_long_as_the_file_lets_them_be() {
    let file = folder("bodies").join("g.toml");
    let text = r#"
body_limit = 300
message_limit = 200
[[gateway]]
account_id = "demo"
gateway_id = "demo"
tokens = ["demo-token"]
[[gateway.provider_key]]
accessKeyId = "AKIAIOSFODNN7EXAMPLE"
secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
region = "us-east-1"
"#;
    fs::write(&file, text).unwrap();
    let args = ["--admin", "127.0.0.1:0", "--endpoint", "http://127.0.0.1:9"];
    let (_gateway, address) =
        Running::gateway(&[&args[..], &["--config", file.to_str().unwrap()]].concat());
    let speech = CONVERSE.replace("/converse", "/invoke-with-bidirectional-stream");
    // What is not refused for its length meets an upstream that is not there.
    for (target, body, expected) in [
        (CONVERSE, vec![b' '; 300], "502"),
        (CONVERSE, vec![b' '; 301], "413"),
        (&speech, event("chunk", &[b' '; 10]).to_vec(), "502"),
        (&speech, event("chunk", &[b' '; 200]).to_vec(), "413"),
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        let length = body.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\ncf-aig-authorization: Bearer demo-token\r\n\r\n"
        );
        stream
            .write_all(&[head.as_bytes(), &body].concat())
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.get(9..12), Some(expected), "{length} {answer}");
    }
}

#[test]
fn admin_token() {
    let file = folder("admin").join("g.toml");
    let text = "admin_token = \"secret\"\n[[gateway]]\naccount_id = \"a\"\ngateway_id = \"b\"\ntokens = [\"t\"]\n";
    fs::write(&file, text).unwrap();
    let (mut gateway, _) =
        Running::gateway(&["--admin=0.0.0.0:0", "--config", file.to_str().unwrap()]);
    let admin = gateway
        .after("admin on http://")
        .replace("0.0.0.0", "127.0.0.1");
    for (headers, expected) in [
        ("", 401),
        ("authorization: Bearer wrong\r\n", 401),
        ("authorization: Basic secret\r\n", 401),
        ("authorization: secret\r\n", 401),
        ("authorization: Bearer secret\r\n", 200),
        ("authorization: bearer secret\r\n", 200),
        (
            "authorization: Bearer secret\r\nhost: evil.example\r\n",
            403,
        ),
    ] {
        let (status, _) = get(&admin, "/health", headers);
        assert_eq!(status, expected, "{headers}");
    }
}

/// HTTP/2 by prior knowledge on the port of HTTP/1.1.
#[tokio::test]
async fn http2() {
    let (_gateway, address) = Running::gateway(&["--admin", "127.0.0.1:0"]);
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    assert_eq!(converse(stream, "http", &address).await, 200);
}

/// HTTP/2 by ALPN, and HTTP/1.1 for whoever offers nothing.
#[tokio::test]
async fn tls() {
    use rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::TlsConnector;

    let folder = folder("tls");
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(&cert_file, made.cert.pem()).unwrap();
    fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    let (cert_arg, key_arg) = (cert_file.to_str().unwrap(), key_file.to_str().unwrap());
    let (code, _) = run(&["--tls-cert", cert_arg, "--tls-key", cert_arg]);
    assert_eq!(code, Some(2), "a certificate is no key");

    let args = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let tls = ["--tls-cert", cert_arg, "--tls-key", key_arg];
    let mut gateway = Running::start("gateway", &[&args[..], &tls[..]].concat());
    let line = gateway.line();
    let address = line.strip_prefix("listening on https://").expect(&line);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert)).unwrap();
    for alpn in [&[b"h2".to_vec(), b"http/1.1".to_vec()][..], &[]] {
        let provider = rustls::crypto::ring::default_provider();
        let mut config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.to_vec();
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(std::sync::Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        if alpn.is_empty() {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            assert_eq!(
                sender
                    .send_request(request("", "localhost"))
                    .await
                    .unwrap()
                    .status(),
                200
            );
        } else {
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            assert_eq!(converse(stream, "https", "localhost").await, 200);
        }
    }
}

async fn converse<I>(io: I, scheme: &str, authority: &str) -> u16
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(io);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender
        .send_request(request(&format!("{scheme}://{authority}"), ""))
        .await
        .unwrap();
    response.status().as_u16()
}

fn request(origin: &str, host: &str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = http::Request::post(format!("{origin}{CONVERSE}"))
        .header("authorization", "Bearer demo-token")
        .header("content-type", "application/json");
    if !host.is_empty() {
        request = request.header("host", host);
    }
    request.body(BODY.into()).unwrap()
}

/// What runs when SIGTERM comes, comes to its end; nothing new begins.
#[cfg(unix)]
#[test]
fn termination() {
    let (mut gateway, address) = Running::gateway(&["--admin", "127.0.0.1:0"]);
    let idle = TcpStream::connect(&address).unwrap();
    let target =
        CONVERSE.replace("claude-haiku-4-5-20251001-v1:0", "fault.slow-frames-100") + "-stream";
    let stream = std::thread::spawn({
        let address = address.clone();
        move || {
            send(
                &address,
                "POST",
                &target,
                "authorization: Bearer demo-token\r\n",
                BODY,
            )
        }
    });
    std::thread::sleep(Duration::from_millis(400));
    gateway.terminate();
    std::thread::sleep(Duration::from_millis(100));
    assert!(TcpStream::connect(&address).is_err());
    let (status, head, body) = stream.join().unwrap();
    assert_eq!(status, 200, "{head}");
    assert!(
        body.contains("messageStop") && body.ends_with("0\r\n\r\n"),
        "cut short"
    );
    assert_eq!(gateway.exit_code(), Some(0));
    drop(idle);
}

/// Whoever reads one line and closes the pipe does not bring the gateway down.
#[test]
fn http1_needs_a_host() {
    let (_gateway, address) = Running::gateway(&["--admin", "127.0.0.1:0"]);
    let token = "cf-aig-authorization: Bearer demo-token\r\n";
    let (status, _, body) = send_without_host(&address, "POST", CONVERSE, token, BODY);
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("host is missing"), "{body}");
    let (status, _, body) = send(&address, "POST", CONVERSE, token, BODY);
    assert_eq!(status, 200, "{body}");
}

#[test]
fn closed_stdout() {
    let (mut gateway, address) = Running::gateway(&["--admin", "127.0.0.1:0"]);
    gateway.out = None;
    let token = "authorization: Bearer demo-token\r\n";
    assert_eq!(send(&address, "POST", CONVERSE, token, BODY).0, 200);
}

#[test]
fn emulator_and_its_control_port() {
    let mut emulator = Running::start("emulator", &[]);
    let address = emulator.after("emulator on http://");
    let control = emulator.after("control on http://");
    let key = "authorization: Bearer bedrock-api-key-emulator\r\n";
    assert_eq!(
        send(&address, "POST", "/model/a.m/converse?a=b", key, BODY).0,
        200
    );
    let (status, requests) = get(&control, "/_requests", "");
    assert_eq!((status, requests.as_array().unwrap().len()), (200, 1));
    assert_eq!(requests[0]["path"], "/model/a.m/converse?a=b");
    assert_eq!(requests[0]["method"], "POST");
    assert_eq!(requests[0]["verdict"], "Accepted");
    assert_eq!(requests[0]["body_len"], BODY.len());
    assert_eq!(requests[0]["body_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(send(&control, "DELETE", "/_requests", "", "").0, 200);
    assert_eq!(get(&control, "/_requests", "").1, serde_json::json!([]));
    let bad = Command::new(binary("emulator"))
        .arg("--nothing")
        .output()
        .unwrap();
    assert_eq!(bad.status.code(), Some(2));
}

#[test]
fn sign_only() {
    let output = Command::new(binary("sign_only")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.starts_with("200 OK"),
        "{text}"
    );
}
