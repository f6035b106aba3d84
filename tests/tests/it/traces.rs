//! Traces, as a collector receives them by OTLP.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, routing::post};
use feedmill_tests::kit::{Stack, StackConfig, wait_until};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value,
};
use prost::Message;
use reqwest::Method;
use serde_json::json;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

#[derive(Debug, Clone)]
struct Span {
    service: String,
    name: String,
    trace: String,
    id: String,
    parent: String,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// Listens, and returns its address.
    async fn start(&self) -> String {
        let collector = self.clone();
        let receive = async move |body: Bytes| collector.receive(&body);
        let app = Router::new().route("/v1/traces", post(receive));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    fn receive(&self, body: &[u8]) {
        let request = ExportTraceServiceRequest::decode(body).expect("a request of OTLP");
        let mut spans = self.0.lock().expect("no panic");
        for resource in request.resource_spans {
            let attributes = resource.resource.expect("a resource").attributes;
            let name = attributes.into_iter().find(|it| it.key == "service.name");
            let name = name.and_then(|it| it.value?.value);
            let Some(Value::StringValue(service)) = name else {
                panic!("a resource without a service: {name:?}");
            };
            for span in resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                spans.push(Span {
                    service: service.clone(),
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                });
            }
        }
    }

    /// The spans of the trace.
    fn spans(&self) -> Vec<Span> {
        let spans = self.0.lock().expect("no panic");
        spans
            .iter()
            .filter(|span| span.trace == TRACE)
            .cloned()
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The names from the span up to the client's, in this order.
fn path(spans: &[Span], span: &Span) -> Vec<String> {
    let mut path = vec![format!("{}: {}", span.service, span.name)];
    let mut parent = &span.parent;
    while parent != CLIENT {
        let span = spans
            .iter()
            .find(|span| span.id == *parent)
            .expect("a parent that was exported");
        path.push(format!("{}: {}", span.service, span.name));
        parent = &span.parent;
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_a_request_to_the_read_tables_and_the_announcement() {
    let collector = Collector::default();
    let stack = Stack::start(StackConfig {
        environment: vec![(
            "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
            collector.start().await,
        )],
        ..StackConfig::default()
    })
    .await;
    let (_, alice) = stack.person("alice").await;
    alice.get("/v1/feed").await.expect(200);
    let request = alice
        .request(Method::POST, "/v1/posts")
        .json(&json!({"text": "traced"}));
    let request = request.header("traceparent", format!("00-{TRACE}-{CLIENT}-01"));
    alice.send(request).await.expect(201);
    alice.get("/v1/feed").await.expect(200);

    let expected = [
        vec!["write-api: POST /v1/posts"],
        vec![
            "projector: projection.feed.apply",
            "write-api: POST /v1/posts",
        ],
        vec![
            "projector: sql.feed.insert_posts",
            "projector: projection.feed.apply",
            "write-api: POST /v1/posts",
        ],
        vec![
            "projector: projection.feed.announce",
            "projector: projection.feed.apply",
            "write-api: POST /v1/posts",
        ],
    ];
    let mut missing = Vec::new();
    wait_until("the trace is exported", async || {
        let spans = collector.spans();
        let is_complete =
            |span: &Span| span.parent == CLIENT || spans.iter().any(|it| it.id == span.parent);
        if !spans.iter().all(is_complete) {
            return false;
        }
        let paths: Vec<Vec<String>> = spans.iter().map(|span| path(&spans, span)).collect();
        missing = expected
            .iter()
            .filter(|path| !paths.iter().any(|it| it == *path))
            .collect();
        if !missing.is_empty() {
            println!("missing {missing:?} in {paths:#?}");
        }
        missing.is_empty()
    })
    .await;
}
