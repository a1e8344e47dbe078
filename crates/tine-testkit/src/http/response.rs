/// A head larger than this is no response of a server of ours.
const LONGEST_HEAD: usize = 64 * 1024;

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200, 404, …
    pub status: u16,
    /// Names as they came, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body, every byte of it.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first header of this name, in any case of letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The number after the first `pid` in the body (`pid 12`, `pid=12`, `"pid":12`): the worker
    /// that answered.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let text = self.text();
        let rest = text.split_once("pid")?.1;
        let digits = rest.trim_start_matches([' ', '=', ':', '"']);
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits[..end].parse().ok()
    }

    /// Whether the server said that it closes the connection after this.
    pub(super) fn is_last(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// What the bytes of a response amount to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// It goes on.
    Incomplete,
    /// It is whole, and this many bytes long.
    Whole(Response, usize),
}

/// Reads the first response in `bytes`.
///
/// Where a body ends must be said by Content-Length or chunks (or by a status that has none): a
/// body that ends with the connection cannot be told from one that was cut.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    if !bytes.starts_with(&b"HTTP/1."[..bytes.len().min(7)]) {
        return Err(format!("it begins with {:?}", first_words(bytes)));
    }
    let Some(head_end) = find(bytes, b"\r\n\r\n") else {
        return match bytes.len() {
            0..=LONGEST_HEAD => Ok(Parsed::Incomplete),
            more => Err(format!("its head has no end after {more} bytes")),
        };
    };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|error| error.to_string())?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("it begins with {status_line:?}"))?;
    let headers = lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
            None => Err(format!("its head has the line {line:?}")),
        })
        .collect::<Result<_, _>>()?;
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };

    let rest = &bytes[head_end + 4..];
    let used = if matches!(status, 204 | 304) {
        0
    } else if response
        .header("transfer-encoding")
        .is_some_and(|value| value == "chunked")
    {
        let Some((body, used)) = chunks(rest)? else {
            return Ok(Parsed::Incomplete);
        };
        response.body = body;
        used
    } else {
        let length = response
            .header("content-length")
            .ok_or("it has neither Content-Length nor chunks, so its end cannot be known")?;
        let length: usize = length
            .parse()
            .map_err(|_| format!("it has the Content-Length {length:?}"))?;
        let Some(body) = rest.get(..length) else {
            return Ok(Parsed::Incomplete);
        };
        response.body = body.to_vec();
        length
    };
    Ok(Parsed::Whole(response, head_end + 4 + used))
}

/// The body made of chunks and the number of bytes they took; `None` when they go on.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line_length) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let line = String::from_utf8_lossy(&bytes[at..at + line_length]);
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| format!("it has a chunk of the size {digits:?}"))?;
        let start = at + line_length + 2;
        // Trailers are not used by any server of ours: the last chunk ends with an empty line.
        let Some(chunk) = bytes.get(start..).and_then(|rest| rest.get(..size + 2)) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            return Err("it has a chunk that is longer than its size".to_owned());
        }
        body.extend_from_slice(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn first_words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned()
}
