//! The host that a request names.

use axum::{
    extract::Request,
    http::{Version, header},
};

use crate::problem::{Problem, codes};

/// 400 `invalid_host` unless the request names one host, in `Host` or, in HTTP/2, in `:authority` (RFC 9112, section 3.2;
/// RFC 9113, section 8.3.1). A proxy could choose another one of several, or cache the response for another host.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    let is_http_2 = request.version() >= Version::HTTP_2;
    let authority = request.uri().authority().filter(|_| is_http_2);
    let is_valid = match (host, another, authority) {
        (_, Some(_), _) => false,
        (Some(host), None, Some(authority)) => {
            let authority = authority.as_str().as_bytes();
            host.as_bytes().eq_ignore_ascii_case(authority)
        }
        (Some(host), None, None) => is_host(host.as_bytes()),
        (None, None, authority) => authority.is_some() || request.version() < Version::HTTP_11,
    };
    if is_valid {
        return Ok(());
    }
    Err(Problem::new(
        codes::INVALID_HOST,
        "the request must name its host once, in the header Host",
    ))
}

/// Whether it can be a host with an optional port. Not exact: what it lets pass is not used.
fn is_host(host: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !b",/?#@\\\"".contains(byte);
    !host.is_empty() && host.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn check_of(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn http_1_1_needs_exactly_one_host() {
        let check = |hosts: &[&str]| check_of(Version::HTTP_11, "/", hosts);
        for host in ["example.org", "example.org:8080", "[::1]:80", "x"] {
            assert!(check(&[host]), "{host}");
        }
        assert!(!check(&[]));
        assert!(!check(&["a", "b"]));
        assert!(!check(&["a", "a"]));
        for host in ["", "a, b", "a b", "a/b", "user@a"] {
            assert!(!check(&[host]), "{host}");
        }
        assert!(!check_of(Version::HTTP_11, "http://a/", &[]));
    }

    #[test]
    fn http_1_0_needs_none() {
        assert!(check_of(Version::HTTP_10, "/", &[]));
        assert!(!check_of(Version::HTTP_10, "/", &["a", "b"]));
    }

    #[test]
    fn http_2_has_an_authority_or_a_host() {
        let check = |uri, hosts: &[&str]| check_of(Version::HTTP_2, uri, hosts);
        assert!(check("http://a/", &[]));
        assert!(check("http://a/", &["A"]));
        assert!(check("/", &["a"]));
        assert!(!check("/", &[]));
        assert!(!check("http://a/", &["b"]));
        assert!(!check("http://a/", &["a", "a"]));
    }
}
