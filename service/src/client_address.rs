//! The address of a client: that of its connection, or the one that a trusted proxy reports.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of a connection. The server adds it to the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What limits count as one client: an IPv4 address, or an IPv6 network of 64 bits, which is what a household gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// The networks of the proxies whose reports of their clients' addresses are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a request: the last address that is not a trusted proxy. Each proxy appends the address that it was
    /// connected from, so what is left of that one may be made up. Two headers that disagree are not believed: a proxy
    /// writes one of them, and leaves the other as the client sent it.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.0.to_canonical();
        if !self.trust(peer) {
            return peer.into();
        }
        let mut reported = [
            self.last_client(peer, values(headers, &X_FORWARDED_FOR).map(host)),
            self.last_client(peer, values(headers, &header::FORWARDED).map(forwarded_for)),
        ]
        .into_iter()
        .flatten();
        match (reported.next(), reported.next()) {
            (Some(one), Some(other)) if ClientAddress::from(one) != other.into() => peer.into(),
            (one, _) => one.unwrap_or(peer).into(),
        }
    }

    /// From the right, up to the first address that is no trusted proxy. None without any report. An element that is no
    /// address ends the search: the proxy that reported it is the last one known.
    fn last_client(
        &self,
        peer: IpAddr,
        reported: impl DoubleEndedIterator<Item = Option<IpAddr>>,
    ) -> Option<IpAddr> {
        let mut last = None;
        for address in reported.rev() {
            let Some(address) = address else {
                return last.or(Some(peer));
            };
            last = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        last
    }

    /// Whether the request looks forwarded, but not by a trusted proxy.
    pub fn is_unknown_proxy(&self, peer: Peer, headers: &HeaderMap) -> bool {
        let is_forwarded =
            headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        is_forwarded && !self.trust(peer.0.to_canonical())
    }
}

/// The elements of a list header, over all of its lines. A comma within quotes separates nothing, but no address has one.
fn values<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|line| line.to_str().unwrap_or(""))
        .collect();
    let elements: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).collect();
    elements.into_iter().map(str::trim)
}

/// The address of an element of `Forwarded` (RFC 7239): `for="[2001:db8::17]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    host(node.trim().trim_matches('"'))
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::17`, `[2001:db8::17]:4711`.
fn host(node: &str) -> Option<IpAddr> {
    let address = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if node.matches(':').count() == 1 => node.split_once(':')?.0,
        None => node,
    };
    let address: IpAddr = address.parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        networks
            .iter()
            .map(|network| network.parse().unwrap())
            .collect()
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[track_caller]
    fn assert_client(peer: &str, lines: &[(&'static str, &'static str)], expected: &str) {
        let proxies = proxies(&["10.0.0.0/8", "2001:db8:1::/48"]);
        let found = proxies.client(Peer(peer.parse().unwrap()), &headers(lines));
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(found, expected.into(), "{peer} {lines:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let forwarded = [("x-forwarded-for", "192.0.2.1")];
        assert_client("203.0.113.9", &forwarded, "203.0.113.9");
        assert_client("10.0.0.1", &forwarded, "192.0.2.1");
        assert_client("::ffff:10.0.0.1", &forwarded, "192.0.2.1");
        assert_client("10.0.0.1", &[], "10.0.0.1");
        let forwarded = headers(&forwarded);
        let peer = |address: &str| Peer(address.parse().unwrap());
        let proxies = proxies(&["10.0.0.0/8"]);
        assert!(proxies.is_unknown_proxy(peer("203.0.113.9"), &forwarded));
        assert!(!proxies.is_unknown_proxy(peer("10.0.0.1"), &forwarded));
        assert!(!proxies.is_unknown_proxy(peer("203.0.113.9"), &HeaderMap::new()));
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_is_the_client() {
        let x = |value| [("x-forwarded-for", value)];
        assert_client("10.0.0.1", &x("1.1.1.1, 192.0.2.1"), "192.0.2.1");
        assert_client("10.0.0.1", &x("1.1.1.1, 192.0.2.1, 10.9.9.9"), "192.0.2.1");
        assert_client("10.0.0.1", &x("10.9.9.9, 10.8.8.8"), "10.9.9.9");
        assert_client("10.0.0.1", &x("192.0.2.1, unknown"), "10.0.0.1");
        assert_client("10.0.0.1", &x("192.0.2.1, _hidden, 10.9.9.9"), "10.9.9.9");
        assert_client("10.0.0.1", &x("192.0.2.1:4711"), "192.0.2.1");
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_client("10.0.0.1", &lines, "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let f = |value| [("forwarded", value)];
        assert_client(
            "10.0.0.1",
            &f("for=1.1.1.1, for=192.0.2.1;proto=https"),
            "192.0.2.1",
        );
        assert_client(
            "10.0.0.1",
            &f("proto=https; For=\"[2001:db8:2::17]:4711\";by=10.0.0.1"),
            "2001:db8:2::17",
        );
        assert_client("10.0.0.1", &f("for=192.0.2.1, proto=https"), "10.0.0.1");
    }

    /// A proxy writes one of the headers, and passes on the other as the client sent it.
    #[test]
    fn headers_that_disagree_are_not_believed() {
        let both = |one, other| [("x-forwarded-for", one), ("forwarded", other)];
        assert_client("10.0.0.1", &both("192.0.2.1", "for=192.0.2.1"), "192.0.2.1");
        assert_client("10.0.0.1", &both("192.0.2.1", "for=1.1.1.1"), "10.0.0.1");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client() {
        let address = |text: &str| ClientAddress::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1:2:3"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }
}
