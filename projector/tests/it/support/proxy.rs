//! A proxy to PostgreSQL that can stop forwarding.

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub struct Proxy {
    pub port: u16,
    silent: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(server: &PgConnectOptions) -> Self {
        let target = (server.get_host().to_owned(), server.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = watch::Sender::new(false);
        let state = silent.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, state.clone()));
                tokio::spawn(pass(from_server, to_client, state.clone()));
            }
        });
        Self { port, silent }
    }

    /// While silent, the proxy drops all bytes without closing connections. Connections that lost bytes stay silent.
    pub fn silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    silent: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    let mut dead = false;
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            // The other side does not notice the end either.
            if dead {
                std::future::pending::<()>().await;
            }
            return;
        };
        dead |= *silent.borrow();
        if !dead && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
