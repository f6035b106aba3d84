//! A stack, and a proxy before its read-api. Scripts that run beside it can request faults.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use feedmill_tests::kit::{Mode, Proxy, Stack, StackConfig};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    sync::Mutex,
    time::timeout,
};

/// Short enough to expire while a client follows the stream.
const ACCESS_TOKEN_TTL: &str = "5s";

/// A command takes at most this long.
const TIMEOUT: Duration = Duration::from_mins(2);

pub struct Server {
    stack: Mutex<Stack>,
    proxy: Proxy,
    write_url: String,
    read_url: String,
}

impl Server {
    pub async fn start() -> Self {
        let ttl = ("ACCESS_TOKEN_TTL".to_owned(), ACCESS_TOKEN_TTL.to_owned());
        let stack = Stack::start(StackConfig {
            environment: vec![ttl],
            ..StackConfig::with_default_limits()
        })
        .await;
        let (write_url, read_url) = (stack.target.write[0].clone(), &stack.target.read[0]);
        let address = read_url.trim_start_matches("http://");
        let proxy = Proxy::start(address.parse().expect("an address")).await;
        let read_url = format!("http://{}", proxy.address);
        Self {
            stack: Mutex::new(stack),
            proxy,
            write_url,
            read_url,
        }
    }

    /// Code of a README, with the addresses of this server in place of the default ones.
    pub fn with_addresses(&self, code: &str) -> String {
        code.replace("http://localhost:8080", &self.write_url)
            .replace("http://localhost:8081", &self.read_url)
    }

    /// Runs a command, and carries out the faults that it requests: a line of its output that begins with `> `. It gets an
    /// empty line when a fault is over. Panics if it fails.
    pub async fn run(&self, mut command: Command) {
        let began = Instant::now();
        command
            .env("WRITE_API_URL", &self.write_url)
            .env("READ_API_URL", &self.read_url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let description = format!("{command:?}");
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {description}: {error}"));
        let mut input = child.stdin.take().expect("its input");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let running = async {
            while let Some(line) = lines.next_line().await.expect("UTF-8") {
                println!("{line}");
                if let Some(fault) = line.strip_prefix("> ") {
                    self.inject(fault).await;
                    input.write_all(b"\n").await.ok();
                }
            }
            child.wait().await.expect("its exit status")
        };
        let status = timeout(TIMEOUT, running).await;
        let status = status.unwrap_or_else(|_| panic!("still running: {description}"));
        assert!(status.success(), "{status}: {description}");
        println!("{:?}: {description}", began.elapsed());
    }

    async fn inject(&self, fault: &str) {
        match fault {
            "cut the connections" => {
                self.proxy.set(Mode::Cut);
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.proxy.set(Mode::Open);
            }
            "restart read-api" => self.stack.lock().await.read[0].restart().await,
            unknown => panic!("there is no fault {unknown}"),
        }
    }
}
