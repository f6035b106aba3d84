//! Ports for servers that are told where to listen, and may be away for a while. Included by the integration tests
//! of every crate, so that all of them ask in one place.

use std::{
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::atomic::{AtomicU32, Ordering},
};

/// Below what the kernel gives to outgoing connections and to whoever asks for port 0 (from 32768): a server that is
/// away for a moment finds its port free.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port that nothing listens on, and that is this process' own until it ends: nobody else is given it here, in
/// any process of this network. Costs an open file each.
///
/// Panics if there is none left.
pub fn unused() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Not the ports of the process that ran just before: a client of it may still look for its server there.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let next = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let Ok(port) = u16::try_from(FIRST + next % COUNT) else {
            continue;
        };
        // A name in the kernel, of which there is one in each network, as there is one of each port.
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
fn a_port_is_given_once() {
    let taken: std::collections::BTreeSet<_> = (0..100).map(|_| unused()).collect();
    assert_eq!(taken.len(), 100);
    for port in taken {
        let name = SocketAddr::from_abstract_name(format!("feedmill-test-port-{port}"));
        assert!(UnixDatagram::bind_addr(&name.unwrap()).is_err());
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}
