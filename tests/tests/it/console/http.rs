//! What the console answers to whom.

use feedmill_tests::{
    client::http,
    kit::{Process, Stack, StackConfig, TempFolder, service, unused_port, wait_until},
    token::Signer,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::Value;

use super::{ANN, BOB, append_unreadable, operate, stack};

/// Pages that answer 200 to whoever has signed in.
const PAGES: [&str; 13] = [
    "/console/projections",
    "/console/projections/table",
    "/console/projections/lag.json",
    "/console/projections/feed",
    "/console/projections/feed/live",
    "/console/projections/feed/confirm/swap",
    "/console/log",
    "/console/log/table",
    "/console/operations",
    "/console/operations/live",
    "/console/operations/indexes",
    "/console/explain",
    "/console/audit",
];

/// Where forms are sent.
const FORMS: [&str; 12] = [
    "/console/sign-out",
    "/console/all/verify",
    "/console/all/rebuild",
    "/console/projections/feed/act/pause",
    "/console/projections/feed/act/verify",
    "/console/projections/feed/act/rebuild",
    "/console/projections/feed/act/drop-previous",
    "/console/projections/feed/skip/1/1",
    "/console/log/texts",
    "/console/log/1/1/texts",
    "/console/operations/cache",
    "/console/explain",
];

/// A client that follows no redirect, of the console of a projector.
struct Visitor {
    http: reqwest::Client,
    origin: String,
    cookie: Option<String>,
    csrf: String,
}

impl Visitor {
    fn new(projector: &Process) -> Self {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none());
        Self {
            http: builder.build().expect("an HTTP client"),
            origin: projector.operators_url(""),
            cookie: None,
            csrf: String::new(),
        }
    }

    /// Somebody who has signed in.
    async fn signed_in(projector: &Process, token: &str) -> Self {
        let mut visitor = Self::new(projector);
        let answer = visitor.send("/console/sign-in", &[("token", token)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[header::SET_COOKIE]
            .to_str()
            .expect("a cookie");
        assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        visitor.cookie = cookie.split(';').next().map(str::to_owned);
        let page = visitor.page("/console/projections").await;
        let (_, csrf) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        csrf.split('"')
            .next()
            .expect("a token")
            .clone_into(&mut visitor.csrf);
        visitor
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.origin));
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect(path)
    }

    /// As a browser sends a form of this origin.
    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("csrf", &self.csrf);
        self.request(Method::POST, path)
            .header(header::ORIGIN, &self.origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish())
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.form(path, fields).send().await.expect(path)
    }

    /// The text of a page; panics unless it is 200.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// Status and text of the answer to a form.
    async fn sent(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let answer = self.send(path, fields).await;
        (
            answer.status().as_u16(),
            answer.text().await.expect("a text"),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_there_is_no_console() {
    let stack = Stack::start(StackConfig::default()).await;
    let visitor = Visitor::new(&stack.projectors[0]);
    for path in [&["/console", "/console/sign-in"][..], &PAGES].concat() {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let text = answer.text().await.unwrap();
        assert!(!text.to_lowercase().contains("sign in"), "{path}: {text}");
    }
    // The rest of the listener still refuses what a page sends.
    let refused = visitor.send("/health/live", &[]).await;
    assert!(refused.status().is_client_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_does_anything_without_signing_in() {
    let stack = stack().await;
    let stranger = Visitor::new(&stack.projectors[0]);
    let to_sign_in = |answer: &Response, path: &str| {
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(
            answer.headers()[header::LOCATION],
            "/console/sign-in",
            "{path}"
        );
    };
    for path in [
        &["/console", "/console/nothing", "/console/log/1/1"][..],
        &PAGES,
    ]
    .concat()
    {
        to_sign_in(&stranger.get(path).await, path);
        let by_script = stranger
            .request(Method::GET, path)
            .header("HX-Request", "true");
        let answer = by_script.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers()["hx-redirect"], "/console/sign-in");
    }
    for path in FORMS {
        let fields = [
            ("reason", "none"),
            ("confirmed", "yes"),
            ("command", "clear"),
        ];
        to_sign_in(&stranger.send(path, &fields).await, path);
    }
    assert!(operate(&stack, &["audit"]).is_empty());

    let (status, text) = stranger
        .sent("/console/sign-in", &[("token", "wrong")])
        .await;
    assert_eq!(status, 403);
    assert!(text.contains("This token may not use the console"));
    assert_eq!(stranger.sent("/console/sign-in", &[]).await.0, 400);

    // A token of the services is none of the console.
    let (id, _) = stack.person("alice").await;
    let token = stack.signer.token(id);
    assert_eq!(
        stranger
            .sent("/console/sign-in", &[("token", &token)])
            .await
            .0,
        403
    );

    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    for path in PAGES {
        let answer = ann.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert_eq!(
            answer.headers()[header::CACHE_CONTROL],
            "no-store",
            "{path}"
        );
    }
    assert_eq!(
        ann.send("/console/sign-out", &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    to_sign_in(&ann.get("/console/projections").await, "after signing out");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_forms_are_refused() {
    let stack = stack().await;
    let projector = &stack.projectors[0];
    let (ann, bob) = (
        Visitor::signed_in(projector, ANN).await,
        Visitor::signed_in(projector, BOB).await,
    );
    assert_ne!(ann.csrf, bob.csrf);
    let fields = [
        ("reason", "forged"),
        ("confirmed", "yes"),
        ("command", "clear"),
        ("viewer", "x"),
        ("post", "x"),
    ];
    for path in FORMS {
        let forged = Visitor {
            csrf: bob.csrf.clone(),
            cookie: ann.cookie.clone(),
            ..Visitor::new(projector)
        };
        assert_eq!(
            forged.sent(path, &fields).await.0,
            403,
            "{path} with the token of another session"
        );
        let forged = Visitor {
            csrf: String::new(),
            ..forged
        };
        assert_eq!(
            forged.sent(path, &fields).await.0,
            403,
            "{path} without a token"
        );
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let mut form = ann.form(path, &fields).build().unwrap();
            form.headers_mut().insert(name, value.parse().unwrap());
            let answer = ann.http.execute(form).await.unwrap();
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{path} with {name}: {value}"
            );
        }
    }
    let own = ("csrf", ann.csrf.as_str());
    let twice = ann
        .sent(
            "/console/projections/feed/act/pause",
            &[own, ("reason", "x")],
        )
        .await;
    assert_eq!(twice.0, 400, "a field that is there twice: {}", twice.1);
    let audit = operate(&stack, &["audit"]);
    assert!(
        audit.lines().all(|line| line.contains("sign-in")),
        "{audit}"
    );
    let by_header = ann.form(
        "/console/projections/feed/act/pause",
        &[("reason", "by header")],
    );
    let by_header = by_header
        .header("X-CSRF-Token", &ann.csrf)
        .send()
        .await
        .unwrap();
    assert_eq!(by_header.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_never_an_error_of_the_server() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    let bad_queries = [
        ("/console/log?partition=64", 400, "partition: "),
        ("/console/log?partition=x", 400, "partition: "),
        ("/console/log?type=post.loved", 400, "type is not a type"),
        ("/console/log?since=yesterday", 400, "since: "),
        ("/console/log?until=%00", 400, "until: "),
        ("/console/log?thread=x", 400, "thread is not"),
        ("/console/log?id=1", 400, "id: "),
        ("/console/log?before=1", 400, "before is not"),
        (
            "/console/log?account=@nobody",
            409,
            "there is no account @nobody",
        ),
        (
            "/console/log?partition=1&partition=2",
            400,
            "partition is there twice",
        ),
        ("/console/log/1/999", 404, "There is no event 1:999"),
        ("/console/log/64/1", 404, "There is no event 64:1"),
        ("/console/log/a/b", 404, "There is no event a:b"),
        ("/console/audit?projection=x", 400, "projection is not"),
        ("/console/audit?before=x", 400, "before is not"),
        (
            "/console/projections/nothing",
            404,
            "There is no projection nothing",
        ),
        (
            "/console/projections/feed/confirm/pause",
            404,
            "There is no",
        ),
        ("/console/nothing", 404, "There is no page /console/nothing"),
        ("/console/assets/console.css", 404, "There is no such file"),
    ];
    for (path, status, text) in bad_queries {
        let answer = ann.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let page = answer.text().await.unwrap();
        assert!(
            page.contains(text) && page.contains("<h1>"),
            "{path}: {page}"
        );
    }
    let long = "x".repeat(501);
    let feed = "/console/projections/feed/act";
    for (path, fields, status, text) in [
        (format!("{feed}/pause"), vec![], 400, "reason is missing"),
        (
            format!("{feed}/pause"),
            vec![("reason", long.as_str())],
            400,
            "reason has more than 500",
        ),
        (
            format!("{feed}/pause"),
            vec![("reason", "x"), ("partition", "-1")],
            400,
            "partition: ",
        ),
        (
            format!("{feed}/resume"),
            vec![("reason", "x")],
            409,
            "feed is not paused",
        ),
        (
            format!("{feed}/rebuild"),
            vec![("max_live_lag", "-1")],
            400,
            "max_live_lag is not",
        ),
        (format!("{feed}/swap"), vec![], 400, "confirmed is missing"),
        (
            format!("{feed}/nothing"),
            vec![],
            404,
            "There is no action nothing",
        ),
        (
            "/console/projections/nothing/act/pause".to_owned(),
            vec![],
            404,
            "There is no projection",
        ),
        (
            "/console/projections/feed/skip/1/1".to_owned(),
            vec![],
            400,
            "reason is missing",
        ),
        (
            "/console/projections/feed/skip/1/1".to_owned(),
            vec![("reason", "x")],
            409,
            "partition 1 is not blocked",
        ),
        (
            "/console/all/abort".to_owned(),
            vec![],
            404,
            "There is no operation",
        ),
        (
            "/console/operations/cache".to_owned(),
            vec![("reason", "x")],
            400,
            "command is missing",
        ),
        (
            "/console/operations/cache".to_owned(),
            vec![("reason", "x"), ("command", "burn")],
            400,
            "command is neither",
        ),
        (
            "/console/explain".to_owned(),
            vec![("viewer", "@x"), ("post", "x"), ("reason", "x")],
            400,
            "post is not",
        ),
        (
            "/console/log/texts".to_owned(),
            vec![],
            400,
            "reason is missing",
        ),
    ] {
        let (found, page) = ann.sent(&path, &fields).await;
        assert_eq!(found, status, "{path} {fields:?}: {page}");
        assert!(page.contains(text), "{path}: {page}");
    }
    let json = ann.request(Method::POST, &format!("{feed}/pause"));
    let json = json
        .header(header::CONTENT_TYPE, "application/json")
        .body("{}");
    assert_eq!(json.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    // What people write is escaped.
    let script = "<script>alert(1)</script>";
    let (_, page) = ann
        .sent(&format!("{feed}/pause"), &[("reason", script)])
        .await;
    assert!(!page.contains(script));
    let pages = [
        ann.page("/console/projections/feed").await,
        ann.page("/console/audit").await,
    ];
    assert!(
        pages
            .iter()
            .all(|page| !page.contains(script) && page.contains("&#60;script&#62;"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_the_subcommands_say() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    let ((alice_id, alice), (_, bob)) = (stack.person("alice").await, stack.person("bob").await);
    let post = alice
        .post("a secret for nobody's eyes", None)
        .await
        .expect(201)
        .id();
    bob.post("an answer", Some(post)).await.expect(201);
    bob.like(post).await.expect(204);
    bob.wait_for(&alice.positions());
    bob.get("/v1/feed").await.expect(200);

    // Events, without texts.
    let dump = operate(&stack, &["events", "dump"]);
    let log = ann.page("/console/log").await;
    for line in dump.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let (partition, seq) = (&event["partition"], &event["seq"]);
        assert!(
            log.contains(&format!("/console/log/{partition}/{seq}\"")),
            "{line}"
        );
    }
    assert!(!log.contains("a secret") && !dump.contains("a secret"));
    for filter in [
        format!("thread={post}"),
        "account=@alice".to_owned(),
        format!("account={alice_id}"),
    ] {
        let (name, value) = filter.split_once('=').unwrap();
        let dump = operate(&stack, &["events", "dump", &format!("--{name}"), value]);
        let page = ann.page(&format!("/console/log?{filter}")).await;
        let rows = page.matches("id=\"event-").count();
        assert_eq!(rows, dump.lines().count(), "{filter}");
        assert!(rows > 0);
    }
    let counts = ann.page("/console/log?count=yes").await;
    for line in operate(&stack, &["events", "count"]).lines() {
        let count: Value = serde_json::from_str(line).unwrap();
        let row = format!(
            "<th scope=\"row\">{}</th><td class=\"number\">{}</td>",
            count["type"].as_str().unwrap(),
            count["count"]
        );
        assert!(counts.contains(&row), "{row}");
    }

    // One event, with texts if that is asked for.
    let like = dump
        .lines()
        .find(|line| line.contains("post.created"))
        .unwrap();
    let like: Value = serde_json::from_str(like).unwrap();
    let path = format!("/console/log/{}/{}", like["partition"], like["seq"]);
    let event = ann.page(&path).await;
    assert!(
        event.contains("[hidden: 26 characters]")
            && event.contains("irrelevant")
            && event.contains("applied")
    );
    assert!(event.contains("<strong>posts</strong>") && !event.contains("a secret"));
    let (status, shown) = ann
        .sent(&format!("{path}/texts"), &[("reason", "a report of abuse")])
        .await;
    assert!(
        status == 200 && shown.contains("a secret for nobody"),
        "{shown}"
    );
    let (_, shown) = ann
        .sent(
            "/console/log/texts",
            &[("reason", "more of it"), ("type", "post.created")],
        )
        .await;
    assert!(shown.contains("a secret for nobody"));
    let audit = operate(&stack, &["audit", "--action", "texts"]);
    assert!(
        audit.contains("console:ann  texts") && audit.contains("events: type post.created"),
        "{audit}"
    );
    assert_eq!(audit.lines().count(), 2);

    // The other pages.
    let indexes = ann.page("/console/operations/indexes").await;
    assert!(indexes.contains("feed.posts_of_author") && indexes.contains("write.events"));
    let operations = ann.page("/console/operations").await;
    assert!(
        operations.contains("indexes.list") && operations.contains("GET /console/log"),
        "{operations}"
    );
    let (status, why) = ann
        .sent(
            "/console/explain",
            &[
                ("viewer", "@bob"),
                ("post", &post.to_string()),
                ("reason", "asked"),
            ],
        )
        .await;
    assert!(
        status == 200 && why.contains("The viewer sees the post"),
        "{why}"
    );
    let status = operate(&stack, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let projections = ann.page("/console/projections").await;
    for projection in status["projections"].as_array().unwrap() {
        let owner = projection["partitions"][0]["owner"].as_str().unwrap();
        assert!(projections.contains(&format!("{owner} (64)")));
    }
    let lag: Value =
        serde_json::from_str(&ann.page("/console/projections/lag.json").await).unwrap();
    assert_eq!(lag["names"].as_array().unwrap().len(), 5);
    assert_eq!(
        lag["events"][0].as_array().unwrap().len(),
        lag["at"].as_array().unwrap().len()
    );
    let page = ann.page("/console/audit").await;
    for line in operate(&stack, &["audit"]).lines() {
        let action = line.split("  ").nth(2).unwrap().split(' ').next().unwrap();
        assert!(page.contains(&format!("<td>{action}</td>")), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_are_cleared_and_events_skipped_from_either_side() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    let (_, alice) = stack.person("alice").await;
    for n in 0..2 {
        let (command, by_console) = [("clear", true), ("cleanup", false)][n];
        alice.get("/v1/me").await.expect(200);
        if by_console {
            let sent = ann
                .sent(
                    "/console/operations/cache",
                    &[("command", command), ("reason", "a test")],
                )
                .await;
            assert_eq!(sent.0, 303, "{}", sent.1);
            assert!(
                ann.page("/console/operations")
                    .await
                    .contains("announced to all read-apis")
            );
        } else {
            let done = operate(&stack, &["cache", command, "--by", "bob"]);
            assert!(done.contains("announced to all read-apis"), "{done}");
        }
        let line = format!("command=\"{command}\"");
        wait_until("read-api has heard of it", async || {
            stack.read[0].log().contains(&line)
        })
        .await;
    }
    let log = stack.projectors[0].log();
    assert!(!log.contains("Permissions Violation"), "{log}");

    let (partition, seq) = append_unreadable(&stack).await;
    let skip = format!("/console/projections/digest/skip/{partition}/{seq}");
    wait_until("the event blocks", async || {
        ann.page(&skip).await.contains("Skip the event")
    })
    .await;
    let event = ann.page(&format!("/console/log/{partition}/{seq}")).await;
    assert!(
        event.contains("blocked after") && event.contains("does not decode"),
        "{event}"
    );
    assert_eq!(ann.sent(&skip, &[("reason", "unreadable")]).await.0, 303);
    assert_eq!(ann.sent(&skip, &[("reason", "again")]).await.0, 409);
    let shown = operate(&stack, &["events", "show", &format!("{partition}:{seq}")]);
    assert!(
        shown.contains("skipped by console:ann: unreadable"),
        "{shown}"
    );
    let audit = operate(&stack, &["audit", "--json"]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let actions: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["by"].as_str().unwrap(), it["action"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [
            ("console:ann", "skip"),
            ("bob", "cache-cleanup"),
            ("console:ann", "cache-clear"),
            ("console:ann", "sign-in")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_does_is_shown_and_not_disturbed() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    stack.person("alice").await;
    let page = "/console/projections/profiles";
    let shows = async |text: &str| {
        wait_until(text, async || ann.page(page).await.contains(text)).await;
        let status = operate(&stack, &["status"]);
        assert!(status.contains(text), "{text}: {status}");
    };
    sqlx::query(
        "INSERT INTO projector.rebuilds (projection, generation, phase, made_by, indexes) VALUES ('profiles', 2, 'bulk', 'a test', '{}')",
    )
    .execute(&stack.pool)
    .await
    .unwrap();
    shows("the rebuild of generation 2 is not running and continues at the next `rebuild`: phase bulk").await;
    let mut other = stack.pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock($1, hashtext('profiles'))")
        .bind(0x7265_6275_i32)
        .execute(&mut *other)
        .await
        .unwrap();
    shows("the rebuild of generation 2 is running").await;
    assert_eq!(ann.sent(&format!("{page}/act/verify"), &[]).await.0, 303);
    let busy = "The verification did not start: another operation of this projection is running";
    wait_until(busy, async || ann.page(page).await.contains(busy)).await;
    other.close().await.unwrap();
    shows("is not running").await;
    assert_eq!(
        ann.sent(&format!("{page}/act/abort"), &[("confirmed", "yes")])
            .await
            .0,
        303
    );
    wait_until("it is dropped", async || {
        ann.page(page)
            .await
            .contains("dropped the unfinished rebuild")
    })
    .await;
    let audit = operate(&stack, &["audit"]);
    assert!(audit.contains("console:ann  abort profiles"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_uses_a_bearer_token_and_a_removed_token_ends_its_sessions() {
    let folder = TempFolder::new();
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("ann:{ANN}\nbob:{BOB}\n")).unwrap();
    let environment = vec![("CONSOLE_TOKEN_FILE".to_owned(), file.display().to_string())];
    let stack = Stack::start(StackConfig {
        environment,
        ..StackConfig::default()
    })
    .await;
    let projector = &stack.projectors[0];
    let with = async |token: &str, path: &str| {
        let request = http().get(projector.operators_url(path)).bearer_auth(token);
        request.send().await.unwrap().status()
    };
    assert_eq!(with(ANN, "/console/projections").await, StatusCode::OK);
    assert_eq!(
        with("wrong", "/console/projections").await,
        StatusCode::UNAUTHORIZED
    );
    let pause = http()
        .post(projector.operators_url("/console/projections/feed/act/pause"))
        .bearer_auth(BOB);
    let pause = pause
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("reason=by+a+program");
    assert!(pause.send().await.unwrap().status().is_success());
    assert!(operate(&stack, &["audit"]).contains("console:bob  pause feed: by a program"));

    let (ann, bob) = (
        Visitor::signed_in(projector, ANN).await,
        Visitor::signed_in(projector, BOB).await,
    );
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    std::fs::write(&file, format!("bob:{BOB}\n")).unwrap();
    assert_eq!(
        ann.get("/console/projections").await.status(),
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        bob.get("/console/projections").await.status(),
        StatusCode::OK
    );
    assert_eq!(
        with(ANN, "/console/projections").await,
        StatusCode::UNAUTHORIZED
    );
}

/// write-api stands for the identity provider: it publishes its keys as one does.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_identity_provider_needs_the_claim() {
    let stack = Stack::start(StackConfig::default()).await;
    let [listen, admin] = [(); 2].map(|()| format!("127.0.0.1:{}", unused_port()));
    let mut environment = stack.target.environment.clone();
    for (name, value) in [
        ("PROJECTOR_LISTEN", listen),
        ("ADMIN_LISTEN", admin.clone()),
        (
            "AUTH_JWKS_URL",
            format!("{}/.well-known/jwks.json", stack.target.write[0]),
        ),
        ("CONSOLE_CLAIM", "feedmill_role=operator".to_owned()),
    ] {
        environment.push((name.to_owned(), value));
    }
    let folder = TempFolder::new();
    let mut projector = Process::new(
        "projector-with-provider",
        &service("projector"),
        folder.path(),
    )
    .environment(environment)
    .health(format!("http://{admin}/health/ready"));
    projector.launch();
    projector.ready().await;
    let (id, _) = stack.person("alice").await;
    let token = |role: Value| {
        let mut claims = Signer::claims(id);
        claims["feedmill_role"] = role;
        stack.signer.sign(&claims)
    };
    let visitor = Visitor::new(&projector);
    for refused in [
        token(Value::Null),
        token("reader".into()),
        stack.signer.token(id),
    ] {
        assert_eq!(
            visitor
                .sent("/console/sign-in", &[("token", &refused)])
                .await
                .0,
            403
        );
    }
    for (what, invalid) in stack.signer.invalid_tokens(id) {
        if what != "empty" && what != "a subject that is not an id" {
            assert_eq!(
                visitor
                    .sent("/console/sign-in", &[("token", &invalid)])
                    .await
                    .0,
                403,
                "{what}"
            );
        }
    }
    for role in ["operator".into(), serde_json::json!(["reader", "operator"])] {
        let operator = Visitor::signed_in(&projector, &token(role)).await;
        let page = operator.page("/console/projections").await;
        assert!(page.contains(&format!("console:idp/{id}")), "{page}");
    }
}
