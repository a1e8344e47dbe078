//! Where does a message begin and end? One JSON text per line.

/// Splits a stream of bytes into lines, whatever the sizes of the pieces it comes in.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not arrived yet.
    partial: Vec<u8>,
}

/// A line grew beyond the limit before its end arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    /// Calls `each` with every line completed by `bytes`, without its line feed.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        limit: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), TooLong> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.len() + line.len() > limit {
                return Err(TooLong);
            }
            if self.partial.is_empty() {
                each(line);
            } else {
                self.partial.extend_from_slice(line);
                each(&self.partial);
                self.partial.clear();
                // One huge message must not hold its memory for the life of the channel.
                self.partial.shrink_to(64 * 1024);
            }
            bytes = rest;
        }
        if self.partial.len() + bytes.len() > limit {
            return Err(TooLong);
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes of the line that has begun and not ended.
    pub(crate) fn pending(&self) -> usize {
        self.partial.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]], limit: usize) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in pieces {
            lines.feed(piece, limit, |line| out.push(line.to_vec()))?;
        }
        Ok(out)
    }

    #[test]
    fn a_line_longer_than_the_limit_is_refused_with_and_without_its_end() {
        assert_eq!(split(&[b"123", b"45\n"], 4), Err(TooLong));
        assert_eq!(split(&[b"12345"], 4), Err(TooLong));
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
