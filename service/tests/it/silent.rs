//! A server that falls silent: nothing comes from it any more, and its connections stay open.

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

/// Passes connections on to PostgreSQL. What is open while `silent` falls silent for ever, without closing.
pub async fn proxy(server: (String, u16), silent: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(server.clone()).await.unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near.0, far.1, Arc::clone(&silent)));
            tokio::spawn(pass(far.0, near.1, Arc::clone(&silent)));
        }
    });
    port
}

/// Lets the server fall silent amid `statements` of half a second, each of which its client then gives up.
pub async fn fall_silent<S: Future>(silent: &AtomicBool, statements: impl IntoIterator<Item = S>) {
    let given_up = statements.into_iter().map(|statement| async {
        assert!(
            timeout(Duration::from_millis(300), statement)
                .await
                .is_err()
        );
    });
    let freeze = async {
        sleep(Duration::from_millis(200)).await;
        silent.store(true, Ordering::SeqCst);
    };
    join(join_all(given_up), freeze).await;
    silent.store(false, Ordering::SeqCst);
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    silent: Arc<AtomicBool>,
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
        if silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}
