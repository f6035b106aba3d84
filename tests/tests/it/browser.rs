//! A page of another origin, in a real browser.

use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use feedmill_tests::{
    client::PASSWORD,
    kit::{Browser, Stack, StackConfig, page},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long a script of a page may take.
const SCRIPT_TIMEOUT: Duration = Duration::from_mins(1);

/// Signs in, reads the feed twice and begins to follow the stream; `window.post` is then the first post in it.
const FOLLOW: &str = r#"
const [write, read, handle, password, done] = arguments;
(async () => {
    const json = {"Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID()};
    const signedIn = await fetch(write + "/v1/sessions",
        {method: "POST", headers: json, body: JSON.stringify({handle, password})});
    const {access_token} = await signedIn.json();
    const headers = {Authorization: "Bearer " + access_token};
    const first = await fetch(read + "/v1/feed?limit=1", {headers});
    const etag = first.headers.get("ETag");
    const again = await fetch(read + "/v1/feed?limit=1", {headers: {...headers, "If-None-Match": etag}, cache: "no-store"});
    const missing = await fetch(read + "/v1/posts/nothing", {headers});
    const stream = await fetch(read + "/v1/stream", {headers});
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const event = async name => {
        for (;;) {
            for (const block of text.split("\n\n").slice(0, -1)) {
                const fields = Object.fromEntries(block.split("\n").map(line => line.split(/: ?(.*)/s)));
                if (fields.event === name) return JSON.parse(fields.data);
            }
            const {value, done} = await reader.read();
            if (done) throw new Error("the stream ended");
            text += value;
        }
    };
    await event("unread");
    window.post = event("post");
    return {
        signedIn: signedIn.status, feed: first.status, link: first.headers.get("Link"), again: again.status,
        missing: (await missing.json()).code,
    };
})().then(done, error => done({error: String(error)}));
"#;

const POST: &str =
    "const done = arguments[0]; window.post.then(done, error => done({error: String(error)}));";

/// A page that the services do not know cannot even read an error.
const REFUSED: &str = r#"
const [read, done] = arguments;
fetch(read + "/v1/feed").then(answer => done(answer.status), error => done(error.name));
"#;

async fn open(browser: &Browser, origin: &str) -> Client {
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(browser.capabilities())
        .connect(&browser.driver)
        .await
        .expect("a session of the browser");
    let timeouts = fantoccini::wd::TimeoutConfiguration::new(Some(SCRIPT_TIMEOUT), None, None);
    client.update_timeouts(timeouts).await.expect("a timeout");
    client.goto(origin).await.expect("the page");
    client
}

async fn run(client: &Client, script: &str, arguments: Value) -> Value {
    let arguments = arguments.as_array().cloned().unwrap_or_default();
    let result = client.execute_async(script, arguments).await;
    result.expect("the script's result")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_signs_in_reads_and_follows() {
    let (origin, other) = (page().await, page().await);
    let stack = Stack::start(StackConfig {
        environment: vec![("CORS_ORIGINS".to_owned(), origin.clone())],
        ..StackConfig::default()
    })
    .await;
    // Both wait for what each other does.
    let anybody = stack.client();
    let create = async |handle: &str| {
        let created = anybody.create_account(handle, handle).await;
        let id = created.expect(201).id();
        (id, anybody.with_token(&stack.signer.token(id)))
    };
    let ((_, reader), (author_id, author)) = (create("reader").await, create("author").await);
    reader.follow(author_id).await.expect(204);
    reader.get("/v1/feed").await.expect(200);

    let browser = Browser::start().await;
    let window = open(&browser, &origin).await;
    let (write, read) = (&stack.target.write[0], &stack.target.read[0]);
    let result = run(&window, FOLLOW, json!([write, read, "reader", PASSWORD])).await;
    assert_eq!(result["signedIn"], 201, "{result}");
    assert_eq!(
        (&result["feed"], &result["again"]),
        (&json!(200), &json!(304)),
        "{result}"
    );
    assert!(
        result["link"]
            .as_str()
            .is_some_and(|link| link.contains("rel=\"first\"")),
        "{result}"
    );
    assert_eq!(result["missing"], "not_found", "{result}");
    author.post("to the browser", None).await.expect(201);
    let post = run(&window, POST, json!([])).await;
    assert_eq!(post["text"], "to the browser", "{post}");

    window.goto(&other).await.expect("the other page");
    let refused = run(&window, REFUSED, json!([read])).await;
    assert_eq!(refused, "TypeError");
    window.close().await.expect("the end of the session");
}
