//! Scripts and styles, embedded in the program. Their paths contain a hash of their content, so browsers keep them for ever.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::error::PageError;

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

pub struct Asset {
    /// Its name in the path.
    pub name: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

/// Everything that a page refers to.
pub struct Assets {
    pub style: Asset,
    pub script: Asset,
    pub htmx: Asset,
    pub uplot: Asset,
    pub uplot_style: Asset,
}

pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new(
        "console.css",
        STYLE,
        include_bytes!("../../assets/console.css"),
    ),
    script: Asset::new(
        "console.js",
        SCRIPT,
        include_bytes!("../../assets/console.js"),
    ),
    htmx: Asset::new(
        "htmx.js",
        SCRIPT,
        include_bytes!("../../assets/htmx.min.js"),
    ),
    uplot: Asset::new(
        "uplot.js",
        SCRIPT,
        include_bytes!("../../assets/uplot.min.js"),
    ),
    uplot_style: Asset::new(
        "uplot.css",
        STYLE,
        include_bytes!("../../assets/uplot.min.css"),
    ),
});

impl Asset {
    fn new(name: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..9]);
        Self {
            name: format!("{hash}-{name}"),
            content_type,
            bytes,
        }
    }
}

/// `GET /console/assets/{name}`, for everybody.
pub async fn asset(Path(name): Path<String>) -> Result<Response, PageError> {
    let Assets {
        style,
        script,
        htmx,
        uplot,
        uplot_style,
    } = &*ASSETS;
    let all = [style, script, htmx, uplot, uplot_style];
    let found = all.into_iter().find(|asset| asset.name == name);
    let asset = found.ok_or_else(|| PageError::not_found("such file"))?;
    let head = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, FOR_EVER),
    ];
    Ok((head, asset.bytes).into_response())
}
