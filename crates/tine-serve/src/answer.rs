//! What is answered to a request?

use crate::auth::Auth;
use crate::content::{Body, Content};
use crate::folder::{Absent, Entry, Folder};
use crate::listing;
use crate::options::Options;
use crate::path::{Refused, Wanted};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONNECTION,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// What all answers depend on.
#[derive(Debug)]
pub(crate) struct Site {
    options: Options,
    folder: Folder,
    auth: Option<Auth>,
    homepage: Option<Wanted>,
    cache_control: HeaderValue,
    is_leaving: AtomicBool,
}

/// What a path leads to.
#[derive(Debug)]
enum Found {
    File(Content),
    Page(String),
    Elsewhere(String),
    /// The page that is to be shown with the status 404, if the folder has one.
    Missing(Option<Content>),
    Refused(StatusCode, String),
}

impl Site {
    pub(crate) fn new(options: Options, folder: Folder) -> Self {
        // A client that has said a password shares nothing with others.
        let kind = match options.basic_auth {
            Some(_) => "private",
            None => "public",
        };
        let seconds = options.max_age.as_secs();
        let cache_control = match seconds {
            0 => None,
            _ => HeaderValue::from_str(&format!("{kind}, max-age={seconds}")).ok(),
        };
        let homepage = options.homepage.trim_start_matches('/');
        Self {
            auth: options.basic_auth.as_ref().map(Auth::new),
            homepage: Wanted::read(&format!("/{homepage}"), options.hidden).ok(),
            cache_control: cache_control.unwrap_or(ASK_EACH_TIME),
            is_leaving: AtomicBool::new(false),
            options,
            folder,
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// From now on each answer says that it is the last on its connection.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Answers one request. Its body is not read.
    pub(crate) async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Response<Body> {
        let mut answer = self.clone().chosen(&request).await;
        let headers = answer.headers_mut();
        if self.options.cross_origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("GET"),
            );
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.is_leaving.load(Ordering::Relaxed) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn chosen<B>(self: Arc<Self>, request: &Request<B>) -> Response<Body> {
        if self
            .auth
            .as_ref()
            .is_some_and(|auth| !auth.permits(request.headers()))
        {
            let challenge = r#"Basic realm="Authentication service", charset="UTF-8""#;
            let challenge = HeaderValue::from_static(challenge);
            return with(
                text(StatusCode::UNAUTHORIZED, ""),
                WWW_AUTHENTICATE,
                challenge,
            );
        }
        let method = request.method();
        if method != Method::GET && method != Method::HEAD {
            let answer = text(StatusCode::METHOD_NOT_ALLOWED, "");
            return with(answer, ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        let wanted = match Wanted::read(request.uri().path(), self.options.hidden) {
            Ok(wanted) => Some(wanted),
            Err(Refused::Hidden) => None,
            Err(Refused::Up) => return text(StatusCode::FORBIDDEN, ""),
            Err(Refused::Nonsense) => return text(StatusCode::BAD_REQUEST, ""),
        };
        let query = request.uri().query().map(str::to_owned);
        let this = self.clone();
        let found = tokio::task::spawn_blocking(move || this.find(wanted, query.as_deref())).await;
        match found {
            Ok(Found::File(content)) => {
                let answer = content.answer(method, request.headers()).await;
                self.with_cache_control(answer)
            }
            Ok(Found::Page(page)) => {
                let answer = response(StatusCode::OK, HTML, page);
                let policy = "default-src 'none'; style-src 'unsafe-inline'";
                let policy = HeaderValue::from_static(policy);
                let answer = with(answer, CONTENT_SECURITY_POLICY, policy);
                with(answer, CACHE_CONTROL, ASK_EACH_TIME)
            }
            Ok(Found::Elsewhere(address)) => {
                let answer = text(StatusCode::TEMPORARY_REDIRECT, "");
                match HeaderValue::from_str(&address) {
                    Ok(address) => with(answer, LOCATION, address),
                    Err(_) => text(StatusCode::BAD_REQUEST, ""),
                }
            }
            Ok(Found::Missing(Some(page))) => {
                let answer = page.answer_instead(method, StatusCode::NOT_FOUND).await;
                with(answer, CACHE_CONTROL, ASK_EACH_TIME)
            }
            Ok(Found::Missing(None)) => text(StatusCode::NOT_FOUND, ""),
            Ok(Found::Refused(status, why)) => text(status, &why),
            // The runtime ends, or the search has panicked.
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, ""),
        }
    }

    fn with_cache_control(&self, answer: Response<Body>) -> Response<Body> {
        let kind = answer.headers().get(CONTENT_TYPE);
        let is_html = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let value = match is_html {
            true => ASK_EACH_TIME,
            false => self.cache_control.clone(),
        };
        with(answer, CACHE_CONTROL, value)
    }

    /// Looks on the disk. Blocks.
    fn find(&self, wanted: Option<Wanted>, query: Option<&str>) -> Found {
        let absent = match wanted.as_ref().map(|wanted| self.look(wanted, query)) {
            Some(Ok(found)) => return found,
            Some(Err(absent)) => absent,
            None => Absent::Missing,
        };
        match absent {
            Absent::Missing => {}
            Absent::LeadsOut => {
                let why = "a symbolic link there leads out of the folder that is served";
                return Found::Refused(StatusCode::FORBIDDEN, why.to_owned());
            }
            Absent::Forbidden => return Found::Refused(StatusCode::FORBIDDEN, String::new()),
            Absent::Failed(errno) => {
                let why = format!("reading it failed: {errno}");
                return Found::Refused(StatusCode::INTERNAL_SERVER_ERROR, why);
            }
        }
        if self.options.spa
            && let Some(content) = self.instead(wanted.as_ref())
        {
            return Found::File(content);
        }
        Found::Missing(self.file(Path::new("404.html")))
    }

    fn look(&self, wanted: &Wanted, query: Option<&str>) -> Result<Found, Absent> {
        if wanted.is_root()
            && let Some(homepage) = &self.homepage
            && let Some(content) = self.file(&homepage.below)
        {
            return Ok(Found::File(content));
        }
        let fd = match self.folder.open(&wanted.below)? {
            Entry::File(_, _) if wanted.is_folder => return Err(Absent::Missing),
            Entry::File(file, stat) => {
                return Ok(Found::File(Content::new(file, &stat, wanted.below.clone())));
            }
            Entry::Folder(fd) => fd,
        };
        let index = self.file(&wanted.below.join("index.html"));
        if index.is_none() && !self.options.listing {
            return Err(Absent::Missing);
        }
        if !wanted.is_folder {
            return Ok(Found::Elsewhere(with_slash(wanted, query)));
        }
        match index {
            Some(content) => Ok(Found::File(content)),
            None => listing::page(&self.folder, &fd, &wanted.below, self.options.hidden)
                .map(Found::Page),
        }
    }

    /// What an application in the browser gets for a path of its own.
    fn instead(&self, wanted: Option<&Wanted>) -> Option<Content> {
        let at_root = wanted.and_then(|wanted| wanted.below.file_name());
        let at_root = at_root.and_then(|name| self.file(Path::new(name)));
        at_root.or_else(|| self.file(&self.homepage.as_ref()?.below))
    }

    fn file(&self, below: &Path) -> Option<Content> {
        match self.folder.open(below) {
            Ok(Entry::File(file, stat)) => Some(Content::new(file, &stat, PathBuf::from(below))),
            Ok(Entry::Folder(_)) | Err(_) => None,
        }
    }
}

/// The address of a folder, seen from the address without a slash at the end: a relative one leads
/// to no other host.
fn with_slash(wanted: &Wanted, query: Option<&str>) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let name = wanted.below.file_name().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("./{}/{query}", listing::encoded(name.as_bytes()))
}

fn text(status: StatusCode, why: &str) -> Response<Body> {
    let colon = if why.is_empty() { "" } else { ": " };
    let reason = status.canonical_reason().unwrap_or_default();
    let body = format!("{} {reason}{colon}{why}\n", status.as_u16());
    let answer = response(status, TEXT, body);
    with(answer, CACHE_CONTROL, ASK_EACH_TIME)
}

fn response(status: StatusCode, kind: HeaderValue, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body));
    let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    with(answer, CONTENT_TYPE, kind)
}

fn with(mut answer: Response<Body>, name: HeaderName, value: HeaderValue) -> Response<Body> {
    answer.headers_mut().insert(name, value);
    answer
}
