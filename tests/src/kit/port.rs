//! Ports for servers that may stop and start again while a test runs.

use std::{
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that the kernel gives to outgoing connections and for port 0 (from 32768), so that a server that
/// restarts finds its port free.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port that nothing listens on, reserved for this process until it ends, among all processes that call this
/// function. Costs one open file. Panics if no port is left.
pub fn unused() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Far from the ports of the process that ran before this one, whose clients may still try to connect.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let next = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let Ok(port) = u16::try_from(FIRST + next % COUNT) else {
            continue;
        };
        // An abstract socket name exists once in each network namespace, as a port does.
        let name = SocketAddr::from_abstract_name(format!("feedmill-test-port-{port}"));
        let Ok(claim) = name.and_then(|name| UnixDatagram::bind_addr(&name)) else {
            continue;
        };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            std::mem::forget(claim);
            return port;
        }
    }
    panic!("every port from {FIRST} on is in use");
}

#[test]
fn no_port_is_given_twice() {
    let taken: std::collections::BTreeSet<_> = (0..100).map(|_| unused()).collect();
    assert_eq!(taken.len(), 100);
    for port in taken {
        let name = SocketAddr::from_abstract_name(format!("feedmill-test-port-{port}"));
        assert!(UnixDatagram::bind_addr(&name.unwrap()).is_err());
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}
