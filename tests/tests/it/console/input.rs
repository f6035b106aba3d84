//! Forged forms and bad input.

use reqwest::{Method, StatusCode, header};

use super::{
    ANN, BOB, operate, stack,
    visitor::{FORMS, Visitor},
};

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
