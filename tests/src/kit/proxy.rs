//! A TCP proxy that delays, cuts or silences its connections.

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
    /// Closes every connection, and every new one.
    Cut,
    /// Accepts and keeps connections, and passes nothing on. Held bytes arrive when the proxy opens again, like
    /// packets that are sent again.
    Hold,
    /// Like `Hold`, but the bytes are lost: a connection that has been silent stays silent for ever.
    Silent,
    /// Passes every piece on after this delay.
    Slow(Duration),
}

/// Listens on a port of its own for as long as it lives.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before this server, open.
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

    /// The URL with this proxy's host and port.
    pub fn url(&self, url: &str) -> String {
        let mut url: reqwest::Url = url.parse().expect("a URL");
        let host = self.address.ip().to_string();
        url.set_host(Some(&host)).expect("a URL with a host");
        url.set_port(Some(self.address.port()))
            .expect("a URL with a host");
        url.into()
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
            // Probably too many open files, which may pass.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if *mode.borrow() != Mode::Cut {
            tokio::spawn(forward(client, target, mode.subscribe()));
        }
    }
}

async fn forward(client: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    let mut cut = mode.clone();
    let forwarding = async {
        while_held(&mut mode.clone()).await;
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok();
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Whichever direction ends first ends the connection: none of our clients uses half of one.
        tokio::select! {
            () = copy(from_client, to_server, mode.clone()) => {}
            () = copy(from_server, to_client, mode.clone()) => {}
        }
    };
    tokio::select! {
        () = forwarding => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut silenced = mode.clone();
        let count = tokio::select! {
            _ = silenced.wait_for(|mode| *mode == Mode::Silent) => 0,
            count = from.read(&mut buffer) => match count {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            },
        };
        if *mode.borrow() == Mode::Silent || count == 0 {
            return std::future::pending().await;
        }
        while_held(&mut mode).await;
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
async fn while_held(mode: &mut watch::Receiver<Mode>) {
    // An error means that the proxy is gone, and the connection ends with it.
    mode.wait_for(|mode| *mode != Mode::Hold).await.ok();
}
