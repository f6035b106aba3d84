//! Who may use the console.

use feedmill_tests::{
    client::http,
    kit::{Process, Stack, StackConfig, TempFolder, service, unused_port},
    token::Signer,
};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;

use super::{
    ANN, BOB, operate, stack,
    visitor::{FORMS, PAGES, Visitor},
};

/// Paths that need a sign-in, beside pages and forms.
const OTHERS: [&str; 4] = [
    "/console",
    "/console/nothing",
    "/console/log/1/1",
    "/console/projections/feed/skip/1/1",
];
/// Paths that need none.
const OPEN: [&str; 2] = ["/console/sign-in", "/console/assets/x"];

#[test]
fn every_route_is_among_the_tested_ones() {
    let source = include_str!("../../../../projector/src/console.rs");
    let routes = source.split(".route(").skip(1).filter_map(|rest| {
        let pattern = rest.split('"').nth(1)?;
        rest.trim_start().starts_with('"').then_some(pattern)
    });
    let fits = |pattern: &str, path: &&str| {
        let (mut parts, mut segments) = (pattern.split('/'), path.split('/'));
        loop {
            match (parts.next(), segments.next()) {
                (Some(part), Some(_)) if part.starts_with("{*") => return true,
                (Some(part), Some(_)) if part.starts_with('{') => {}
                (None, None) => return true,
                (part, segment) if part == segment => {}
                _ => return false,
            }
        }
    };
    let tested = [&PAGES[..], &FORMS, &OTHERS, &OPEN, &["/console/"]].concat();
    let routes: Vec<&str> = routes.collect();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        assert!(
            tested.iter().any(|path| fits(route, path)),
            "{route} is not tested"
        );
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
    for path in [&OTHERS[..], &PAGES].concat() {
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
