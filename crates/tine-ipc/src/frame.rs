//! Where does a message begin and end? One JSON text per line, or a length in front.

use crate::serialization::Serialization;
use crate::v8;

/// Splits a stream of bytes into messages, whatever the sizes of the pieces it comes in.
#[derive(Debug)]
pub(crate) struct Splitter {
    serialization: Serialization,
    /// The beginning of a message whose end has not arrived yet, with its length if it has one.
    partial: Vec<u8>,
}

/// The stream cannot be split any further.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A message is longer than the limit, or says that it will be.
    TooLong,
    /// The content of a frame does not begin as V8's format does.
    NotV8 { begin: Vec<u8> },
}

/// The length in front of a frame: 4 bytes, big endian, unsigned, itself not counted.
pub(crate) const LENGTH: usize = 4;

/// One huge message must not hold its memory for the life of the channel.
const KEEP: usize = 64 * 1024;

impl Default for Splitter {
    fn default() -> Self {
        Self::new(Serialization::Json)
    }
}

impl Splitter {
    pub(crate) fn new(serialization: Serialization) -> Self {
        Self {
            serialization,
            partial: Vec::new(),
        }
    }

    /// Calls `each` with every message completed by `bytes`, without its line feed or length.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        limit: usize,
        each: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        match self.serialization {
            Serialization::Json => self.lines(bytes, limit, each),
            Serialization::Advanced => self.frames(bytes, limit, each),
        }
    }

    fn lines(
        &mut self,
        mut bytes: &[u8],
        limit: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.len() + line.len() > limit {
                return Err(Broken::TooLong);
            }
            if self.partial.is_empty() {
                each(line);
            } else {
                self.partial.extend_from_slice(line);
                each(&self.partial);
                self.partial.clear();
                self.partial.shrink_to(KEEP);
            }
            bytes = rest;
        }
        if self.partial.len() + bytes.len() > limit {
            return Err(Broken::TooLong);
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn frames(
        &mut self,
        mut bytes: &[u8],
        limit: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        while !bytes.is_empty() {
            if self.partial.is_empty()
                && let Some(end) = end_of_frame(bytes, limit)?
                && end <= bytes.len()
            {
                each(&bytes[LENGTH..end]);
                bytes = &bytes[end..];
                continue;
            }
            // Grows with what has come, whatever the length says is to come.
            let missing = match end_of_frame(&self.partial, limit)? {
                Some(end) => end - self.partial.len(),
                // Up to and with the header, which may end the matter.
                None => (LENGTH + 2).saturating_sub(self.partial.len()).max(1),
            };
            let (head, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial.extend_from_slice(head);
            bytes = rest;
            if end_of_frame(&self.partial, limit)? == Some(self.partial.len()) {
                each(&self.partial[LENGTH..]);
                self.partial.clear();
                self.partial.shrink_to(KEEP);
            }
        }
        Ok(())
    }

    /// The message that has begun and not ended.
    pub(crate) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Bytes of the message that has begun and not ended.
    pub(crate) fn pending(&self) -> usize {
        self.partial.len()
    }
}

/// Where the frame at the beginning of `bytes` ends, if its length is there. The header behind
/// the length is judged byte by byte: what is no length must not be waited for.
fn end_of_frame(bytes: &[u8], limit: usize) -> Result<Option<usize>, Broken> {
    let Some((length, content)) = bytes.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > limit {
        return Err(Broken::TooLong);
    }
    if length < v8::HEADER.len() {
        return Err(Broken::NotV8 { begin: Vec::new() });
    }
    for known in 1..=content.len().min(v8::HEADER.len()) {
        if !v8::has_header(&content[..known]) {
            let begin = content[..known].to_vec();
            return Err(Broken::NotV8 { begin });
        }
    }
    Ok(Some(LENGTH + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]], limit: usize) -> Result<Vec<Vec<u8>>, Broken> {
        let mut lines = Splitter::default();
        let mut out = Vec::new();
        for piece in pieces {
            lines.feed(piece, limit, |line| out.push(line.to_vec()))?;
        }
        Ok(out)
    }

    #[test]
    fn a_line_longer_than_the_limit_is_refused_with_and_without_its_end() {
        assert_eq!(split(&[b"123", b"45\n"], 4), Err(Broken::TooLong));
        assert_eq!(split(&[b"12345"], 4), Err(Broken::TooLong));
        assert_eq!(split(&[b"1234\n"], 4), Ok(vec![b"1234".to_vec()]));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_where_the_stream_is_cut(
            stream in proptest::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..400),
            cuts in proptest::collection::vec(0usize..400, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= stream.len()).collect();
            cuts.push(0);
            cuts.push(stream.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            let whole = split(&[&stream], usize::MAX / 2).unwrap();
            prop_assert_eq!(split(&pieces, usize::MAX / 2).unwrap(), whole.clone());
            let mut expected: Vec<Vec<u8>> = stream.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            expected.pop();
            prop_assert_eq!(whole, expected);
        }
    }
}
