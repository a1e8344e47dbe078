//! How does a file become an answer?

use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, VARY,
};
use hyper::http::Extensions;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use std::error::Error;
use std::ffi::OsStr;
use std::future::{Ready, ready};
use std::io::{self, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::compression::Compression;
use tower_http::services::fs::{Backend, File, Metadata, ServeDir};
use tower_service::Service as _;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Smaller ones gain nothing; larger ones are better compressed once than for each client.
const COMPRESSED: std::ops::RangeInclusive<u64> = 256..=16 * 1024 * 1024;

/// A file that was found and opened, with what decides about its answer.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    file: Arc<std::fs::File>,
    facts: Facts,
    /// Its extension tells its type.
    name: PathBuf,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    length: u64,
    modified: Option<SystemTime>,
}

impl Content {
    pub(crate) fn new(file: std::fs::File, stat: &rustix::fs::Stat, name: PathBuf) -> Self {
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        let modified = u64::try_from(stat.st_mtime).ok();
        // Beyond the year 9999 there is no date in HTTP.
        let modified = modified
            .filter(|seconds| *seconds < 253_402_300_800)
            .map(|seconds| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds));
        Self {
            file: Arc::new(file),
            facts: Facts {
                length: u64::try_from(stat.st_size).unwrap_or(0),
                modified,
            },
            name,
        }
    }

    /// Answers a GET or HEAD: the whole, a range, that nothing has changed, or that the conditions
    /// do not hold; compressed where that helps.
    pub(crate) async fn answer(self, method: &Method, headers: &HeaderMap) -> Response<Body> {
        let mut request = Request::new(http_body_util::Empty::<Bytes>::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = self.address();
        *request.headers_mut() = headers.clone();
        if !self.serves_range(method, headers).await {
            request.headers_mut().remove(RANGE);
        }
        let mut service = Compression::new(self.serve_dir()).compress_when(is_worth_it);
        let answer = match service.call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let is_compressible = type_is_compressible(answer.headers());
        let mut answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
        let headers = answer.headers_mut();
        // The same tag for other bytes must be a weak one (RFC 9110, 8.8.3).
        if headers.contains_key(CONTENT_ENCODING)
            && let Some(tag) = headers.get(ETAG)
            && !tag.as_bytes().starts_with(b"W/")
        {
            let weak = [b"W/", tag.as_bytes()].concat();
            if let Ok(weak) = HeaderValue::from_bytes(&weak) {
                headers.insert(ETAG, weak);
            }
        }
        let not_modified = answer.status() == StatusCode::NOT_MODIFIED;
        if (is_compressible || not_modified) && !answer.headers().contains_key(VARY) {
            let value = HeaderValue::from_name(ACCEPT_ENCODING);
            answer.headers_mut().insert(VARY, value);
        }
        self.complete_type(answer.headers_mut());
        answer
    }

    /// As the answer to something that is not there: whole, with another status, without tags.
    pub(crate) async fn answer_instead(
        self,
        method: &Method,
        status: StatusCode,
    ) -> Response<Body> {
        let mut answer = self.answer(method, &HeaderMap::new()).await;
        *answer.status_mut() = status;
        for header in [ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
            answer.headers_mut().remove(header);
        }
        answer
    }

    /// A range is served of a GET, in bytes, and only of the version that the client has a part of
    /// (If-Range). What is asked for otherwise is answered whole (RFC 9110, 14.2).
    async fn serves_range(&self, method: &Method, headers: &HeaderMap) -> bool {
        let Some(range) = headers.get(RANGE) else {
            return false;
        };
        if method != Method::GET || !range.as_bytes().starts_with(b"bytes=") {
            return false;
        }
        let Some(wanted) = headers.get(IF_RANGE) else {
            return true;
        };
        let mut probe = Request::new(http_body_util::Empty::<Bytes>::new());
        *probe.method_mut() = Method::HEAD;
        *probe.uri_mut() = self.address();
        let Ok(now) = self.serve_dir().try_call(probe).await else {
            return false;
        };
        let is = |name: HeaderName| now.headers().get(name) == Some(wanted);
        is(ETAG) || is(LAST_MODIFIED)
    }

    /// The path was understood before; the library is asked for the one file it has, and learns the
    /// extension only.
    fn address(&self) -> Uri {
        let extension = self.name.extension().and_then(OsStr::to_str);
        let known = extension.filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let address = known.and_then(|known| format!("/file.{known}").parse().ok());
        address.unwrap_or(Uri::from_static("/file"))
    }

    /// Text is UTF-8, and what has no extension (LICENSE, README) is text, as with PM2.
    fn complete_type(&self, headers: &mut HeaderMap) {
        let Some(kind) = headers.get(CONTENT_TYPE) else {
            return;
        };
        let kind = match kind.to_str() {
            Ok("application/octet-stream") if self.name.extension().is_none() => "text/plain",
            // RFC 9239.
            Ok("application/javascript") => "text/javascript",
            Ok(kind) => kind,
            Err(_) => return,
        };
        if kind.starts_with("text/")
            && !kind.contains("charset")
            && let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8"))
        {
            headers.insert(CONTENT_TYPE, kind);
        }
    }

    fn serve_dir(&self) -> ServeDir<tower_http::services::fs::DefaultServeDirFallback, Self> {
        ServeDir::with_backend("", self.clone()).ignore_multi_range_requests(true)
    }
}

fn is_worth_it(status: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse().ok());
    status == StatusCode::OK
        && length.is_some_and(|length| COMPRESSED.contains(&length))
        && type_is_compressible(headers)
}

/// What is not compressed already, as far as its type tells.
fn type_is_compressible(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind,
            "application/javascript"
                | "application/json"
                | "application/xml"
                | "application/wasm"
                | "application/x-javascript"
                | "application/rtf"
                | "font/otf"
                | "font/ttf"
                | "image/bmp"
                | "image/vnd.microsoft.icon"
                | "image/x-icon"
        )
}

/// The one file, whatever path the library asks for.
impl Backend for Content {
    type File = Reader;
    type Metadata = Facts;
    type OpenFuture = Ready<io::Result<Reader>>;
    type MetadataFuture = Ready<io::Result<Facts>>;

    fn open(&self, _: PathBuf) -> Self::OpenFuture {
        ready(self.file.try_clone().map(|file| Reader {
            file: tokio::fs::File::from_std(file),
            facts: self.facts,
        }))
    }

    fn metadata(&self, _: PathBuf) -> Self::MetadataFuture {
        ready(Ok(self.facts))
    }
}

impl Metadata for Facts {
    fn is_dir(&self) -> bool {
        false
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified
            .ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> u64 {
        self.length
    }
}

/// The file, being read.
#[derive(Debug)]
pub(crate) struct Reader {
    file: tokio::fs::File,
    facts: Facts,
}

impl File for Reader {
    type Metadata = Facts;
    type MetadataFuture<'a> = Ready<io::Result<Facts>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.facts))
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(cx, buffer)
    }
}

impl AsyncSeek for Reader {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.file).poll_complete(cx)
    }
}
