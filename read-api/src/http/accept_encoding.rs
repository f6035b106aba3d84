//! Negotiation of the content encoding.

use axum::http::{HeaderMap, header};

use crate::cache::encoding::Encoding;

/// The encoding with the greatest weight in `Accept-Encoding`, and among equals the one with the fewest bytes (RFC 9110,
/// 12.5.3). A client that refuses every encoding gets the unencoded body.
pub fn preferred_encoding(headers: &HeaderMap) -> Encoding {
    let (mut brotli, mut gzip, mut identity, mut rest) = (None, None, None, None);
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for (name, weight) in value.to_str().unwrap_or_default().split(',').map(weighted) {
            let weight_of = match name {
                name if name.eq_ignore_ascii_case("br") => &mut brotli,
                name if name.eq_ignore_ascii_case("gzip") => &mut gzip,
                name if name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
                name if name.eq_ignore_ascii_case("identity") => &mut identity,
                "*" => &mut rest,
                _ => continue,
            };
            *weight_of = Some(weight);
        }
    }
    let weight = |named: Option<u16>| named.or(rest).unwrap_or(0);
    let (brotli, gzip) = (weight(brotli), weight(gzip));
    // Unless it is named, no encoding is the last choice.
    let identity = identity.unwrap_or(0);
    if brotli > 0 && brotli >= gzip && brotli >= identity {
        Encoding::Brotli
    } else if gzip > 0 && gzip >= identity {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

/// `name;q=0.5` as a name and thousandths. An invalid weight is ignored.
fn weighted(item: &str) -> (&str, u16) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let weight: f32 = value.trim().parse().ok()?;
        (key.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&weight))
            .then_some((weight * 1000.0) as u16)
    });
    (name.trim(), weight.unwrap_or(1000))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn preferred(values: &[&'static str]) -> Encoding {
        let headers = values.iter().map(|value| {
            let value = HeaderValue::from_static(value);
            (header::ACCEPT_ENCODING, value)
        });
        preferred_encoding(&headers.collect())
    }

    #[test]
    fn the_greatest_weight_wins() {
        use Encoding::{Brotli, Gzip, Identity};
        for (values, expected) in [
            (&[][..], Identity),
            (&[""], Identity),
            (&["gzip, deflate, br, zstd"], Brotli),
            (&["gzip", "br"], Brotli),
            (&["GZIP;q=0.5, br;q=0.4"], Gzip),
            (&["br;q=0, gzip ; Q=0.001"], Gzip),
            (&["br;q=0,gzip;q=0"], Identity),
            (&["*"], Brotli),
            (&["*;q=0.1, br;q=0"], Gzip),
            (&["identity, br;q=0.5"], Identity),
            (&["identity;q=0.5, br;q=0.5"], Brotli),
            (&["identity;q=0"], Identity),
            (&["br;q=x"], Brotli),
            (&["deflate, zstd"], Identity),
            (&["brr, gzipp"], Identity),
        ] {
            assert_eq!(preferred(values), expected, "{values:?}");
        }
    }
}
