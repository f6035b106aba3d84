//! A TCP proxy that can cut, swallow or slow down what passes through it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Open,
    /// Every connection is closed, and so is every new one.
    Cut,
    /// Connections stay and are accepted, and nothing passes; once it does again, what was held back arrives,
    /// as with packets that are sent again.
    BlackHole,
    /// Every piece arrives this much later.
    Slow(Duration),
}

/// Listens on a port of its own for as long as it lives.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    listening: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let mode = watch::Sender::new(Mode::Open);
        let listening = tokio::spawn(listen(listener, target, mode.clone()));
        Self {
            address,
            mode,
            listening,
        }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.mode.send_replace(Mode::Cut);
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, target: SocketAddr, mode: watch::Sender<Mode>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Too many open files, at worst: it may pass.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if *mode.borrow() != Mode::Cut {
            tokio::spawn(connection(client, target, mode.subscribe()));
        }
    }
}

async fn connection(client: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    let mut cut = mode.clone();
    let passing = async {
        passable(&mut mode.clone()).await;
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok();
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Whichever ends first ends both: nobody here goes on with half a connection.
        tokio::select! {
            () = pass(from_client, to_server, mode.clone()) => {}
            () = pass(from_server, to_client, mode.clone()) => {}
        }
    };
    tokio::select! {
        () = passing => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        passable(&mut mode).await;
        let now = *mode.borrow();
        if let Mode::Slow(delay) = now {
            sleep(delay).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Waits while nothing passes.
async fn passable(mode: &mut watch::Receiver<Mode>) {
    // An error means that the proxy is gone, and the connection ends with it.
    mode.wait_for(|mode| *mode != Mode::BlackHole).await.ok();
}
