//! The console's endpoints, as somebody would call them who wants to do harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::io::Write;
use std::sync::{Mutex, Once};

use forebay_testkit::await_condition;
use harness::{Answer, Client, LIMIT, Replica, SECRET_ID, SECRET_KEY, credential};
use serde_json::{Value, json};

const QUICKSTART: &str = r#"{"TaskId":"task-forebay0"}"#;

/// Whoever is, or is not yet, signed in.
struct Person {
    address: std::net::SocketAddr,
    cookie: String,
    csrf: String,
}

impl Person {
    fn new(replica: &Replica) -> Self {
        Self {
            address: replica.running.admin,
            cookie: String::new(),
            csrf: String::new(),
        }
    }

    async fn signed_in(replica: &Replica, id: &str, key: &str) -> Self {
        let mut person = Self::new(replica);
        let answer = person.log_in(id, key).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        person.cookie = cookie.split(';').next().unwrap().to_owned();
        person.csrf = person.session().await["csrf"].as_str().unwrap().to_owned();
        person
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if !self.cookie.is_empty() {
            head += &format!("Cookie: other=1; {}\r\n", self.cookie);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut client = Client::connect(self.address).await;
        client.send(head.as_bytes()).await;
        client.answer().await
    }

    /// Asks as the page does, and is gone before the answer.
    async fn ask_and_leave(&self, action: &str, body: &str) {
        let head = format!(
            "POST /console/api/action/{action} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\n\
             Cookie: {1}\r\nX-CSRF-Token: {2}\r\nContent-Length: {3}\r\n\r\n{body}",
            self.address,
            self.cookie,
            self.csrf,
            body.len()
        );
        Client::connect(self.address)
            .await
            .send(head.as_bytes())
            .await;
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// As the page does it.
    async fn post(&self, path: &str, body: &str) -> Answer {
        let origin = format!("http://{}", self.address);
        let headers = [
            ("Origin", origin.as_str()),
            ("Content-Type", "application/json"),
            ("X-CSRF-Token", &self.csrf),
        ];
        self.send("POST", path, &headers, body).await
    }

    async fn log_in(&self, id: &str, key: &str) -> Answer {
        let secrets = json!({"secret_id": id, "secret_key": key});
        self.post("/console/api/login", &secrets.to_string()).await
    }

    async fn session(&self) -> Value {
        let answer = self.get("/console/api/session").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn act(&self, action: &str, body: &str) -> Answer {
        let path = format!("/console/api/action/{action}");
        self.post(&path, body).await
    }
}

fn refusal(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let code = body["code"].as_str();
    let code = code.unwrap_or_else(|| panic!("no refusal: {answer:?}"));
    (answer.status, code.to_owned())
}

async fn quickstart_runs(replica: &Replica) -> bool {
    let task = replica.call("DescribeDatahubTask", QUICKSTART).await;
    task.response()["Result"]["Status"] == 1
}

#[actix::test]
async fn every_answer_tells_the_browser_what_it_must_not_do() {
    let replica = Replica::start_embedded().await;
    let person = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    for path in [
        "/",
        "/tasks/task-forebay0",
        "/messages?x=1",
        "/console/api/tasks?limit=1",
        "/metrics",
        "/nowhere",
    ] {
        let answer = person.get(path).await;
        let csp = answer.header("content-security-policy").unwrap();
        assert!(
            csp.contains("default-src 'none'; script-src 'self';"),
            "{csp}"
        );
        assert!(csp.contains("frame-ancestors 'none'"), "{csp}");
        assert!(!csp.contains("unsafe") && !csp.contains('*'), "{csp}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let api = person.get("/console/api/session").await;
    assert_eq!(api.header("cache-control"), Some("no-store"));

    let page = person.get("/").await;
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let tag = page.header("etag").unwrap();
    let again = person
        .send("GET", "/login", &[("If-None-Match", tag)], "")
        .await;
    assert_eq!(again.status, 304);
    let text = page.text();
    let start = text.find("/console/assets/").unwrap();
    let script = text[start..]
        .split('"')
        .find(|part| part.ends_with("js/app.js"));
    let script = script.unwrap();
    let plain = person.get(script).await;
    assert_eq!(
        plain.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert!(plain.header("cache-control").unwrap().contains("immutable"));
    let packed = person
        .send("GET", script, &[("Accept-Encoding", "gzip, br")], "")
        .await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len());
    for gone in [
        "/console/assets/0000000000000000/js/app.js",
        &script.replace("js/app.js", "../../credentials.toml"),
        &script.replace("js/app.js", "js/none.js"),
    ] {
        assert_eq!(person.get(gone).await.status, 404, "{gone}");
    }
    replica.stop().await;
}

#[actix::test]
async fn signing_in_tells_nothing_and_its_cookie_is_for_the_browser_alone() {
    let replica = Replica::start_embedded().await;
    let nobody = Person::new(&replica);
    let answer = nobody.log_in(SECRET_ID, SECRET_KEY).await;
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    let by_proxy = format!("https://{}", nobody.address);
    let headers = [("Content-Type", "application/json"), ("Origin", &by_proxy)];
    let secrets = json!({"secret_id": SECRET_ID, "secret_key": SECRET_KEY}).to_string();
    let login = "/console/api/login";
    let answer = nobody.send("POST", login, &headers, &secrets).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let wrong_key = nobody.log_in(SECRET_ID, "guess").await;
    let wrong_id = nobody.log_in("AKIDnobody", SECRET_KEY).await;
    assert_eq!(refusal(&wrong_key), (401, "SignInFailed".to_owned()));
    assert_eq!(
        wrong_key.body, wrong_id.body,
        "which of the two is wrong is not told"
    );
    assert_eq!(wrong_key.header("set-cookie"), None);

    let secrets = json!({"secret_id": SECRET_ID, "secret_key": SECRET_KEY}).to_string();
    let own = format!("http://{}", nobody.address);
    for (headers, status) in [
        (vec![("Content-Type", "application/json")], 403),
        (
            vec![
                ("Content-Type", "application/json"),
                ("Origin", "http://evil.example"),
            ],
            403,
        ),
        (
            vec![("Content-Type", "application/json"), ("Origin", "null")],
            403,
        ),
        (vec![("Content-Type", "text/plain"), ("Origin", &own)], 400),
    ] {
        let answer = nobody
            .send("POST", "/console/api/login", &headers, &secrets)
            .await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let long = json!({"secret_id": SECRET_ID, "secret_key": "x".repeat(5000)}).to_string();
    for bad in ["", "{}", "[1]", &long] {
        let answer = nobody.post("/console/api/login", bad).await;
        assert_eq!(refusal(&answer), (400, "Malformed".to_owned()));
    }
    replica.stop().await;
}

#[actix::test]
async fn a_new_sign_in_ends_the_browsers_session_before() {
    let replica = Replica::start_embedded().await;
    let mut person = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    let before = person.cookie.clone();
    let wrong = person.log_in(SECRET_ID, "guess").await;
    assert_eq!(wrong.status, 401);
    person.session().await;
    let answer = person.log_in(SECRET_ID, SECRET_KEY).await;
    let cookie = answer.header("set-cookie").unwrap();
    let old = person.get("/console/api/session").await;
    assert_eq!(refusal(&old), (401, "SignedOut".to_owned()));
    person.cookie = cookie.split(';').next().unwrap().to_owned();
    assert_ne!(person.cookie, before);
    person.session().await;
    replica.stop().await;
}

#[actix::test]
async fn an_address_that_there_is_not_is_a_page_for_people_and_nothing_for_others() {
    let replica = Replica::start_embedded().await;
    let nobody = Person::new(&replica);
    let browser = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = nobody.send("GET", "/nowhere", &browser, "").await;
    assert_eq!(page.status, 404);
    assert_eq!(page.body, nobody.get("/tasks").await.body);
    assert!(page.header("content-security-policy").is_some());
    for (method, path) in [
        ("GET", "/nowhere"),
        ("POST", "/nowhere"),
        ("POST", "/tasks"),
    ] {
        let answer = nobody.send(method, path, &[], "").await;
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{method}");
    }
    replica.stop().await;
}

#[actix::test]
async fn a_query_that_makes_no_sense_is_refused_in_words() {
    let replica = Replica::start_embedded().await;
    let person = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    for path in [
        "/console/api/tasks?sort=evil",
        "/console/api/tasks?limit=-1",
        "/console/api/tasks?unknown=1",
        "/console/api/partitions",
    ] {
        let answer = person.get(path).await;
        assert_eq!(refusal(&answer), (400, "Malformed".to_owned()), "{path}");
    }
    replica.stop().await;
}

#[actix::test]
async fn the_console_says_not_ready_as_the_probe_does() {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        config.shutdown.drain_delay = LIMIT;
        config.shutdown.grace = 2 * LIMIT;
    })
    .await;
    replica.await_ready().await;
    let person = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    let not_ready = async || {
        let system = person.get("/console/api/system").await;
        assert_eq!(system.status, 200, "{system:?}");
        let system: Value = serde_json::from_slice(&system.body).unwrap();
        system["replica"]["not_ready"].clone()
    };
    let probed = async || {
        let probe = person.get("/readyz").await;
        let probe: Value = serde_json::from_slice(&probe.body).unwrap();
        probe.get("reasons").cloned().unwrap_or_else(|| json!([]))
    };
    assert_eq!((not_ready().await, probed().await), (json!([]), json!([])));

    let Replica { running, folder } = replica;
    let stopping = actix_rt::spawn(running.stop());
    await_condition(LIMIT, "the probe says that it drains", async || {
        probed().await != json!([])
    })
    .await
    .unwrap();
    let shown = not_ready().await;
    assert_eq!(shown[0], "draining before it stops", "{shown}");
    assert_eq!(shown, probed().await);
    // Nobody waits for the rest of the drain.
    stopping.abort();
    drop(folder);
}

#[actix::test]
async fn nothing_is_done_without_session_token_and_origin() {
    let replica = Replica::start_embedded().await;
    let nobody = Person::new(&replica);
    for path in [
        "session",
        "tasks?limit=1",
        "tasks/task-forebay0",
        "system",
        "partitions?instance=ckafka-forebay0&topic=quickstart",
    ] {
        let answer = nobody.get(&format!("/console/api/{path}")).await;
        assert_eq!(refusal(&answer), (401, "SignedOut".to_owned()), "{path}");
    }
    let answer = nobody.act("PauseDatahubTask", QUICKSTART).await;
    assert_eq!(refusal(&answer).0, 401);

    let mut person = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    let own = format!("http://{}", person.address);
    let path = "/console/api/action/PauseDatahubTask";
    let csrf = person.csrf.clone();
    for headers in [
        vec![("Origin", own.as_str())],
        vec![("Origin", own.as_str()), ("X-CSRF-Token", "guess")],
        vec![("X-CSRF-Token", csrf.as_str())],
        vec![
            ("X-CSRF-Token", csrf.as_str()),
            ("Origin", "http://evil.example"),
        ],
        vec![
            ("X-CSRF-Token", csrf.as_str()),
            ("Sec-Fetch-Site", "same-site"),
        ],
    ] {
        let answer = person.send("POST", path, &headers, QUICKSTART).await;
        assert_eq!(refusal(&answer), (403, "Forged".to_owned()), "{headers:?}");
    }
    let other = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    assert_ne!(
        other.csrf, person.csrf,
        "each session has a token of its own"
    );
    person.csrf = other.csrf.clone();
    assert_eq!(person.act("PauseDatahubTask", QUICKSTART).await.status, 403);
    assert!(quickstart_runs(&replica).await);

    let paused = other.act("PauseDatahubTask", QUICKSTART).await.response();
    assert_eq!(paused["Result"]["TaskId"], "task-forebay0", "{paused}");
    assert!(!quickstart_runs(&replica).await);

    assert_eq!(other.post("/console/api/logout", "{}").await.status, 204);
    let answer = other.act("ResumeDatahubTask", QUICKSTART).await;
    assert_eq!(refusal(&answer), (401, "SignedOut".to_owned()));
    replica.stop().await;
}

#[actix::test]
async fn the_credentials_scope_holds_on_every_page() {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        let narrow = "actions = [\"Describe*\", \"Fetch*\"]\ndatahubs = [\"datahub-forebay0\"]";
        let sender = "actions = [\"SendMessage\"]";
        let text = credential(SECRET_ID, SECRET_KEY, "")
            + &credential("AKIDnarrow", "narrow", narrow)
            + &credential("AKIDsender", "sender", sender);
        std::fs::write(config.auth.credentials.as_ref().unwrap(), text).unwrap();
    })
    .await;
    let more = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
    let (hidden, _) = replica.create_task_with("hidden", "hidden", &more).await;

    let narrow = Person::signed_in(&replica, "AKIDnarrow", "narrow").await;
    let list = narrow.get("/console/api/tasks?limit=50").await.text();
    assert!(
        list.contains("task-forebay0") && !list.contains("hidden"),
        "{list}"
    );
    assert!(list.contains("\"total\":1"), "{list}");
    let other = narrow.get(&format!("/console/api/tasks/{hidden}")).await;
    assert_eq!(refusal(&other).0, 403);
    let topic = "/console/api/partitions?instance=ckafka-forebay0&topic=hidden";
    assert_eq!(refusal(&narrow.get(topic).await).0, 403);
    let own = "/console/api/partitions?instance=ckafka-forebay0&topic=quickstart";
    assert_eq!(narrow.get(own).await.status, 200);
    for action in ["PauseDatahubTask", "DeleteDatahubTask", "SendMessage"] {
        let body =
            r#"{"TaskId":"task-forebay0","DataHubId":"datahub-forebay0","Message":[{"Body":"x"}]}"#;
        let (code, _) = narrow.act(action, body).await.error();
        assert_eq!(code, "AuthFailure.UnauthorizedOperation", "{action}");
    }
    assert!(quickstart_runs(&replica).await);

    let sender = Person::signed_in(&replica, "AKIDsender", "sender").await;
    assert_eq!(sender.session().await["actions"], json!(["SendMessage"]));
    let list = sender.get("/console/api/tasks?limit=50").await;
    assert_eq!(refusal(&list).0, 403);
    assert_eq!(refusal(&sender.get(own).await).0, 403);
    let body = r#"{"DataHubId":"datahub-forebay0","Message":[{"Body":"x"}]}"#;
    let sent = sender.act("SendMessage", body).await.response();
    assert!(
        sent["MessageId"][0]
            .as_str()
            .unwrap()
            .starts_with("datahub-forebay0:")
    );
    replica.stop().await;
}

#[actix::test]
async fn guessing_is_slowed_down_and_large_bodies_are_refused() {
    let replica = Replica::start_embedded().await;
    let person = Person::signed_in(&replica, SECRET_ID, SECRET_KEY).await;
    let large = format!(r#"{{"TaskId":"{}"}}"#, "x".repeat(3 << 20));
    let path = "/console/api/action/PauseDatahubTask";
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nCookie: {1}\r\nX-CSRF-Token: {2}\r\nContent-Length: {3}\r\n\r\n",
        person.address,
        person.cookie,
        person.csrf,
        large.len()
    );
    let mut client = Client::connect(person.address).await;
    client.send(head.as_bytes()).await;
    assert_eq!(client.answer().await.error().0, "RequestSizeLimitExceeded");
    let (code, _) = person.act("NoSuchAction", "{}").await.api_refusal();
    assert_eq!(code, "InvalidAction");

    let mut refused = 0;
    for _ in 0..30 {
        let answer = person.log_in(SECRET_ID, "guess").await;
        if answer.status == 429 {
            refused += 1;
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        }
    }
    // However slow the machine: one more is allowed each 6 s.
    assert!(refused >= 10, "{refused} of 30 guesses were refused");
    assert!(
        !person.session().await["csrf"].is_null(),
        "who is in stays in"
    );
    replica.stop().await;
}

impl Answer {
    /// (code, message) of a refusal of the console's own.
    fn api_refusal(&self) -> (String, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }
}

/// What was logged in this process.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct IntoLog;

impl Write for IntoLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn audit_lines() -> Vec<Value> {
    let log = LOG.lock().unwrap();
    let lines = std::str::from_utf8(&log).unwrap().lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == "audit").collect()
}

#[actix::test]
async fn who_changed_what_is_in_the_audit_log() {
    static LOGGING: Once = Once::new();
    LOGGING.call_once(|| {
        tracing_subscriber::fmt()
            .json()
            .with_writer(|| IntoLog)
            .init();
    });
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        let text = credential("AKIDauditor", "audited-key", "");
        std::fs::write(config.auth.credentials.as_ref().unwrap(), text).unwrap();
    })
    .await;
    let person = Person::signed_in(&replica, "AKIDauditor", "audited-key").await;
    person.log_in("AKIDauditor", "mistyped-key").await;
    person.log_in("key-in-the-wrong-field", "x").await;
    person.act("PauseDatahubTask", QUICKSTART).await.response();
    person
        .act("ResumeDatahubTask", r#"{"TaskId":"task-nowhere0"}"#)
        .await;
    person.act("DescribeDatahubTask", QUICKSTART).await;
    person.ask_and_leave("ResumeDatahubTask", QUICKSTART).await;
    let expected = [
        ("AKIDauditor", "SignIn", "SecretKey", "ok"),
        ("AKIDauditor", "SignIn", "SecretKey", "refused"),
        ("(unknown)", "SignIn", "SecretKey", "refused"),
        (
            "AKIDauditor",
            "PauseDatahubTask",
            "TaskId=task-forebay0",
            "ok",
        ),
        (
            "AKIDauditor",
            "ResumeDatahubTask",
            "TaskId=task-nowhere0",
            "ResourceNotFound",
        ),
        (
            "AKIDauditor",
            "ResumeDatahubTask",
            "TaskId=task-forebay0",
            "ok",
        ),
    ];
    let has = |(who, action, what, result): &(&str, &str, &str, &str)| {
        audit_lines().iter().any(|line| {
            let fields = &line["fields"];
            fields["who"] == *who
                && fields["action"] == *action
                && fields["what"] == *what
                && fields["result"] == *result
                && fields["from"] == "127.0.0.1"
        })
    };
    await_condition(LIMIT, "the audit log has all lines", async || {
        expected.iter().all(has)
    })
    .await
    .unwrap();
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    for secret in [
        "audited-key",
        "mistyped-key",
        "key-in-the-wrong-field",
        &person.cookie,
        &person.csrf,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(!log.contains("DescribeDatahubTask"), "looking is no change");
    replica.stop().await;
}
