//! An answer: the JSON of a view, ready to be sent, and its encodings.

use std::sync::OnceLock;

use axum::http::HeaderValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use feedmill_events::Tag;
use feedmill_service::bounded_cache::MOKA_ENTRY_BYTES;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use super::encoding::Encoding;
use crate::{error::Error, freshness::tag_versions::Slot};

/// A body up to this size fits into one packet and is not compressed.
const MIN_COMPRESSED_BYTES: usize = 1024;

/// The memory of an answer besides its bytes: some 20 allocations with fragmentation (2,700 bytes, measured with 12,000
/// and 75,000 feeds of 20 to 60 posts; answers of one post take less) and its entry in moka.
const OVERHEAD: usize = 2700 + MOKA_ENTRY_BYTES;

#[derive(Debug)]
pub struct Answer {
    identity: EncodedBody,
    /// The value of the `Link` header.
    pub link: Option<HeaderValue>,
    /// Made on first request; None where compression saves nothing.
    gzip: OnceCell<Option<EncodedBody>>,
    brotli: OnceCell<Option<EncodedBody>>,
}

/// The body in one encoding.
#[derive(Debug)]
pub struct EncodedBody {
    pub encoding: Encoding,
    pub bytes: Bytes,
    /// Strong: each encoding has its own.
    pub etag: HeaderValue,
}

/// An answer and the slots of the tags that it depends on.
#[derive(Debug)]
pub struct LoadedAnswer {
    pub answer: Answer,
    pub slots: Box<[Slot]>,
}

impl Answer {
    pub fn new(view: &impl Serialize) -> Result<Self, Error> {
        Ok(Self::from_json(&serde_json::to_vec(view)?))
    }

    pub fn from_json(json: &[u8]) -> Self {
        // Copied to an allocation of the exact size. Shrinking the vector would leave unusable gaps between entries.
        let bytes = Bytes::copy_from_slice(json);
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..16]);
        Self {
            identity: EncodedBody {
                encoding: Encoding::Identity,
                bytes,
                etag: quoted(&hash),
            },
            link: None,
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
        }
    }

    /// One page of a list. `view` contains the page; `link` is the `Link` header; `tags` as for
    /// [`depending_on`](Self::depending_on).
    pub fn page(
        view: &impl Serialize,
        link: String,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Result<LoadedAnswer, Error> {
        Ok(Self::new(view)?.with_link(link).depending_on(tags))
    }

    /// `link` is the `Link` header.
    pub fn with_link(mut self, link: String) -> Self {
        self.link = HeaderValue::try_from(link).ok();
        self
    }

    /// `tags` must include everything that the answer depends on, or changes go unnoticed.
    pub fn depending_on(self, tags: impl IntoIterator<Item = Tag>) -> LoadedAnswer {
        let mut slots: Vec<Slot> = tags.into_iter().map(Slot::from).collect();
        slots.sort_unstable();
        slots.dedup();
        LoadedAnswer {
            answer: self,
            slots: slots.into(),
        }
    }

    /// The body in an encoding, or unencoded where encoding does not make it smaller. The first request for an encoding
    /// makes it, which takes a fraction of a millisecond; then the second value is true.
    pub async fn body(&self, encoding: Encoding) -> (&EncodedBody, bool) {
        let Some(cell) = self.cell(encoding) else {
            return (&self.identity, false);
        };
        let mut made = false;
        let body = cell.get_or_init(|| async {
            made = true;
            let bytes = encode(encoding, self.identity.bytes.clone()).await?;
            Some(EncodedBody {
                encoding,
                bytes,
                etag: self.etag(encoding),
            })
        });
        let body = body.await.as_ref().unwrap_or(&self.identity);
        (body, made)
    }

    /// The `ETag` of an encoding, without making it.
    pub fn etag(&self, encoding: Encoding) -> HeaderValue {
        if self.cell(encoding).is_none() {
            return self.identity.etag.clone();
        }
        let hash = self.identity.etag.to_str().unwrap_or_default();
        quoted(&format!("{}-{}", hash.trim_matches('"'), encoding.name()))
    }

    /// The bytes that the answer takes, with the encodings that exist now.
    pub fn size(&self) -> usize {
        let encoded = |cell: &OnceCell<Option<EncodedBody>>| {
            let body = cell.get().and_then(Option::as_ref);
            body.map_or(0, |body| body.bytes.len())
        };
        OVERHEAD
            + self.identity.bytes.len()
            + self.link.as_ref().map_or(0, HeaderValue::len)
            + encoded(&self.gzip)
            + encoded(&self.brotli)
    }

    /// None if the body is sent unencoded.
    fn cell(&self, encoding: Encoding) -> Option<&OnceCell<Option<EncodedBody>>> {
        match encoding {
            _ if self.identity.bytes.len() <= MIN_COMPRESSED_BYTES => None,
            Encoding::Identity => None,
            Encoding::Gzip => Some(&self.gzip),
            Encoding::Brotli => Some(&self.brotli),
        }
    }
}

/// Encodes on a blocking thread, on at most as many as there are processors. None if it saves nothing.
async fn encode(encoding: Encoding, bytes: Bytes) -> Option<Bytes> {
    static PERMITS: OnceLock<Semaphore> = OnceLock::new();
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let permits = PERMITS.get_or_init(|| Semaphore::new(processors()));
    let _permit = permits.acquire().await.ok()?;
    let encoded = tokio::task::spawn_blocking(move || {
        let encoded = encoding.encode(&bytes).ok()?;
        (encoded.len() < bytes.len()).then(|| Bytes::copy_from_slice(&encoded))
    });
    encoded.await.ok()?
}

fn quoted(hash: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{hash}\"")).expect("base64url is visible ASCII")
}
