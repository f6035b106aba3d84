//! A proxy that makes a server unresponsive: its connections stay open, and nothing arrives any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::{join, join_all};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// Forwards connections to `server`. Connections that are open while `unresponsive` is set stop forwarding for ever and
/// stay open. Gives the port.
pub async fn proxy(server: (String, u16), unresponsive: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let upstream = TcpStream::connect(server.clone()).await.unwrap();
            let (client, upstream) = (client.into_split(), upstream.into_split());
            tokio::spawn(forward(client.0, upstream.1, Arc::clone(&unresponsive)));
            tokio::spawn(forward(upstream.0, client.1, Arc::clone(&unresponsive)));
        }
    });
    port
}

/// Makes the server unresponsive during `statements` of 500 ms, which are cancelled after 300 ms.
pub async fn become_unresponsive<S: Future>(
    unresponsive: &AtomicBool,
    statements: impl IntoIterator<Item = S>,
) {
    let cancelled = statements.into_iter().map(|statement| async {
        assert!(
            timeout(Duration::from_millis(300), statement)
                .await
                .is_err()
        );
    });
    let freeze = async {
        sleep(Duration::from_millis(200)).await;
        unresponsive.store(true, Ordering::SeqCst);
    };
    join(join_all(cancelled), freeze).await;
    unresponsive.store(false, Ordering::SeqCst);
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    unresponsive: Arc<AtomicBool>,
) {
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            count = from.read(&mut buffer) => {
                let count = count.unwrap_or(0);
                if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            () = sleep(Duration::from_millis(10)) => {}
        }
        if unresponsive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}
