//! The one place where views become bytes: ready to be sent as they are, and in each content coding once
//! somebody asks for it.

mod coding;

use std::sync::OnceLock;

use axum::http::HeaderValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use feedmill_events::Tag;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

pub use self::coding::Coding;
use crate::{
    changes::{Changes, Slot},
    error::Error,
    kept::Keep,
};

/// A smaller body fits into one packet as it is.
const WORTH_CODING: usize = 1024;

/// What an answer takes beside its bytes: some 20 allocations, its place in the cache, and what lies idle between them.
/// With this, feeds of 20 to 60 posts make the process grow by what is counted, and answers of one post by two fifths of
/// it (12,000 and 75,000 of them).
const OVERHEAD: usize = 2800;

/// A body that is ready to be sent, and what it was made of.
#[derive(Debug)]
pub struct Answer {
    plain: Form,
    /// The value of `Link`.
    pub link: Option<HeaderValue>,
    /// Of all that it depends on.
    slots: Box<[Slot]>,
    /// Each made when it is first asked for; none where that saves nothing.
    gzip: OnceCell<Option<Form>>,
    brotli: OnceCell<Option<Form>>,
}

/// The bytes of one content coding.
#[derive(Debug)]
pub struct Form {
    pub coding: Coding,
    pub bytes: Bytes,
    /// Strong: other bytes have another.
    pub etag: HeaderValue,
}

impl Answer {
    /// `tags` must name everything that `view` depends on.
    pub fn new(view: &impl Serialize, tags: impl IntoIterator<Item = Tag>) -> Result<Self, Error> {
        // Copied: a vector has room to grow, and what is given back of it between things that are kept is of no
        // use to anybody.
        let bytes = Bytes::copy_from_slice(&serde_json::to_vec(view)?);
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..16]);
        let mut slots: Vec<Slot> = tags.into_iter().map(Changes::slot).collect();
        slots.sort_unstable();
        slots.dedup();
        Ok(Self {
            plain: Form {
                coding: Coding::Identity,
                bytes,
                etag: quoted(&hash),
            },
            link: None,
            slots: slots.into(),
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
        })
    }

    /// With a link to the next page, if there is one.
    pub fn with_next(mut self, target: Option<&str>) -> Self {
        let link = target.map(|target| HeaderValue::try_from(format!("<{target}>; rel=\"next\"")));
        self.link = link.and_then(Result::ok);
        self
    }

    /// The bytes in a coding, or as they are where that would not make them fewer. Waits, for a fraction of a
    /// millisecond, the first time that the coding is asked for; then the second value is true.
    pub async fn form(&self, coding: Coding) -> (&Form, bool) {
        let Some(cell) = self.cell(coding) else {
            return (&self.plain, false);
        };
        let mut made = false;
        let form = cell.get_or_init(|| async {
            made = true;
            let bytes = encode(coding, self.plain.bytes.clone()).await?;
            Some(Form {
                coding,
                bytes,
                etag: self.etag(coding),
            })
        });
        let form = form.await.as_ref().unwrap_or(&self.plain);
        (form, made)
    }

    /// What the `ETag` of a coding would be; it need not be made for that.
    pub fn etag(&self, coding: Coding) -> HeaderValue {
        if self.cell(coding).is_none() {
            return self.plain.etag.clone();
        }
        let hash = self.plain.etag.to_str().unwrap_or_default();
        quoted(&format!("{}-{}", hash.trim_matches('"'), coding.name()))
    }

    /// In bytes, with the codings that there are now.
    pub fn weight(&self) -> usize {
        let coded = |cell: &OnceCell<Option<Form>>| {
            let form = cell.get().and_then(Option::as_ref);
            form.map_or(0, |form| form.bytes.len())
        };
        OVERHEAD
            + self.plain.bytes.len()
            + self.link.as_ref().map_or(0, HeaderValue::len)
            + size_of_val(&*self.slots)
            + coded(&self.gzip)
            + coded(&self.brotli)
    }

    /// None where the bytes are sent as they are.
    fn cell(&self, coding: Coding) -> Option<&OnceCell<Option<Form>>> {
        match coding {
            _ if self.plain.bytes.len() <= WORTH_CODING => None,
            Coding::Identity => None,
            Coding::Gzip => Some(&self.gzip),
            Coding::Brotli => Some(&self.brotli),
        }
    }
}

impl Keep for Answer {
    fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

/// On a thread for such work, and on no more of them than there are processors. None if it saves nothing.
async fn encode(coding: Coding, bytes: Bytes) -> Option<Bytes> {
    static PLACES: OnceLock<Semaphore> = OnceLock::new();
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let places = PLACES.get_or_init(|| Semaphore::new(processors()));
    let _place = places.acquire().await.ok()?;
    let coded = tokio::task::spawn_blocking(move || {
        let coded = coding.encode(&bytes).ok()?;
        (coded.len() < bytes.len()).then(|| Bytes::copy_from_slice(&coded))
    });
    coded.await.ok()?
}

fn quoted(hash: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{hash}\"")).expect("base64url is visible ASCII")
}
