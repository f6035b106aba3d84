//! Clients of HTTP/2 that grant their responses no window. The socket works, so its timeout does not help.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{Request, StatusCode},
    routing::get,
};
use feedmill_service::HttpArgs;
use futures::future::join_all;
use h2::{Reason, RecvStream, client::SendRequest};
use tokio::time::{sleep, timeout};

use crate::support::{Server, start};

/// Much longer than any timeout of the server, for slow machines.
const TIMEOUT: Duration = Duration::from_mins(1);

const MIB: usize = 1 << 20;
static ZEROS: [u8; 4 * MIB] = [0; 4 * MIB];

/// The bytes of all responses in memory, and the most that there were at once.
#[derive(Clone, Default)]
struct Memory(Arc<(AtomicUsize, AtomicUsize)>);

impl Memory {
    fn now(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    fn peak(&self) -> usize {
        self.0.1.load(SeqCst)
    }

    fn body(&self, length: usize) -> Bytes {
        let now = self.0.0.fetch_add(length, SeqCst) + length;
        self.0.1.fetch_max(now, SeqCst);
        Bytes::from_owner(Counted(self.clone(), length))
    }
}

/// Counts as so many bytes of its own.
struct Counted(Memory, usize);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &ZEROS[..self.1]
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(self.1, SeqCst);
    }
}

/// `GET /{length}` has a body of that length.
async fn server(write_timeout: Duration) -> (Server, Memory) {
    let memory = Memory::default();
    let args = HttpArgs {
        write_timeout,
        ..HttpArgs::default()
    };
    let of = memory.clone();
    let body = get(async move |Path(length): Path<usize>| of.body(length));
    (
        start(Router::new().route("/{length}", body), args).await,
        memory,
    )
}

/// A client whose streams have this window.
async fn connect(server: &Server, window: u32) -> SendRequest<Bytes> {
    let stream = server.connect().await;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        // Waits for the server's limit before it sends a request.
        .initial_max_send_streams(0)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

/// The head of a response, and its body to be read.
async fn request(
    server: &Server,
    client: &SendRequest<Bytes>,
    length: usize,
) -> (StatusCode, RecvStream) {
    let mut request = Request::new(());
    *request.uri_mut() = server.url(&format!("/{length}")).parse().unwrap();
    let mut client = client.clone().ready().await.unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    let (head, body) = response.await.unwrap().into_parts();
    (head.status, body)
}

/// Waits until the server resets the response; panics if it ends otherwise.
async fn is_reset(body: &mut RecvStream) {
    let end = async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.reason(),
                None => panic!("the response is complete"),
            }
        }
    };
    let reason = timeout(TIMEOUT, end).await;
    assert_eq!(reason.expect("a reset"), Some(Reason::CANCEL));
}

#[tokio::test]
async fn responses_without_a_window_are_reset_and_take_bounded_memory() {
    let (server, memory) = server(Duration::from_millis(300)).await;
    let connections = join_all((0..20).map(|_| async {
        let client = connect(&server, 0).await;
        let requests = (0..100).map(|_| async {
            let (status, mut body) = request(&server, &client, MIB).await;
            is_reset(&mut body).await;
            status
        });
        join_all(requests).await
    }));
    let statuses = timeout(TIMEOUT, connections).await.unwrap().concat();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    let (served, refused) = (
        count(StatusCode::OK),
        count(StatusCode::SERVICE_UNAVAILABLE),
    );
    assert_eq!(served + refused, 2_000);
    assert!(served >= 20 && refused > 0, "{served} {refused}");
    // Per connection: 4 MiB, and one response more.
    assert!(memory.peak() <= 20 * 6 * MIB, "{} bytes", memory.peak());
    assert_eq!(memory.now(), 0);
}

#[tokio::test]
async fn the_end_of_a_response_that_a_window_cuts_off_is_reset() {
    let (server, memory) = server(Duration::from_millis(300)).await;
    for (window, length) in [
        (1, 2),
        (1, 100),
        (99, 100),
        (16_384, 16_385),
        (20_000, 40_000),
    ] {
        let client = connect(&server, window).await;
        let (status, mut body) = request(&server, &client, length).await;
        assert_eq!(status, 200);
        is_reset(&mut body).await;
        assert_eq!(memory.now(), 0, "a window of {window} bytes for {length}");
    }
}

#[tokio::test]
async fn a_slow_reader_gets_its_whole_response() {
    let (server, _) = server(Duration::from_secs(2)).await;
    let client = connect(&server, 20_000).await;
    let (_, mut body) = request(&server, &client, 200_000).await;
    let mut read = 0;
    while let Some(part) = body.data().await {
        let length = part.unwrap().len();
        read += length;
        // In all for longer than the timeout.
        sleep(Duration::from_millis(200)).await;
        body.flow_control().release_capacity(length).unwrap();
    }
    assert_eq!(read, 200_000);
}

#[tokio::test]
async fn many_responses_of_a_client_that_reads_are_complete() {
    let (server, _) = server(Duration::from_secs(20)).await;
    let client = connect(&server, 65_535).await;
    let responses = (0..200).map(|number| {
        let (server, client) = (&server, &client);
        async move {
            let (status, mut body) = request(server, client, number * 100).await;
            assert_eq!(status, 200);
            let mut read = 0;
            while let Some(part) = body.data().await {
                let length = part.unwrap().len();
                read += length;
                body.flow_control().release_capacity(length).unwrap();
            }
            assert_eq!(read, number * 100);
        }
    });
    join_all(responses).await;
}
