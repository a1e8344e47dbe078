//! Where does a line end?

/// Splits what a program writes into lines, whatever the sizes of its writes.
#[derive(Debug, Default)]
pub struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// A line longer than this many bytes is given out in pieces of this size.
    pub const LONGEST: usize = 256 * 1024;
    const KEPT: usize = 4096;

    /// Calls `each` with every line that `bytes` completes, without its line feed.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() && line.len() <= Self::LONGEST {
                each(line);
            } else {
                self.begin(line, &mut each);
                each(&self.partial);
                self.forget();
            }
            bytes = rest;
        }
        self.begin(bytes, &mut each);
    }

    /// Keeps `bytes`, which have no line feed, and gives out what is too long to be kept.
    fn begin(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while self.partial.len() + bytes.len() > Self::LONGEST {
            let (piece, rest) = bytes.split_at(Self::LONGEST - self.partial.len());
            self.partial.extend_from_slice(piece);
            each(&self.partial);
            self.partial.clear();
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    /// There are thousands of these: one long line must not keep its memory for ever.
    fn forget(&mut self) {
        if self.partial.capacity() > Self::KEPT {
            self.partial = Vec::new();
        } else {
            self.partial.clear();
        }
    }

    /// Calls `each` with what was written after the last line feed, if anything: at the end.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            each(&self.partial);
            self.partial = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::default();
        let mut out = Vec::new();
        for piece in pieces {
            splitter.feed(piece, |line| out.push(line.to_vec()));
        }
        splitter.finish(|line| out.push(line.to_vec()));
        out
    }

    #[test]
    fn lines_do_not_depend_on_the_sizes_of_the_writes() {
        let expected: Vec<Vec<u8>> = vec![b"one".into(), b"".into(), b"two".into(), b"end".into()];
        let whole: &[u8] = b"one\n\ntwo\nend";
        assert_eq!(lines(&[whole]), expected);
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(lines(&bytes), expected);
    }

    #[test]
    fn a_line_without_end_is_given_out_in_pieces_and_loses_nothing() {
        let long = vec![b'x'; Splitter::LONGEST * 2 + 5];
        let out = lines(&[&long, b"y\n"]);
        assert_eq!(out.len(), 3);
        assert_eq!(lines(&[&[&long[..], b"y\n"].concat()]), out);
        assert_eq!(out.iter().map(Vec::len).sum::<usize>(), long.len() + 1);
    }

    #[test]
    fn a_line_of_the_longest_size_is_one_line() {
        let long = vec![b'x'; Splitter::LONGEST];
        for chunks in [vec![&long[..], b"\n"], vec![&[&long[..], b"\n"].concat()]] {
            assert_eq!(lines(&chunks), std::slice::from_ref(&long));
        }
    }

    #[test]
    fn a_long_line_does_not_keep_its_memory() {
        let mut splitter = Splitter::default();
        splitter.feed(&vec![b'x'; Splitter::LONGEST], |_| ());
        splitter.feed(b"\nshort", |_| ());
        assert!(splitter.partial.capacity() <= Splitter::KEPT);
    }

    proptest! {
        #[test]
        fn any_chunks_give_the_same_lines(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just(vec![b'\n']),
                    (1..3 * Splitter::LONGEST).prop_map(|length| vec![b'x'; length]),
                    proptest::collection::vec(any::<u8>(), 0..50),
                ],
                0..8,
            ),
            sizes in proptest::collection::vec(1..2 * Splitter::LONGEST, 1..8),
        ) {
            let whole = pieces.concat();
            let (mut chunks, mut rest, mut sizes) = (Vec::new(), &whole[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(lines(&chunks), lines(&[&whole]));
        }
    }
}
