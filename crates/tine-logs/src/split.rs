//! Where does a line end?

/// Splits what a program writes into lines, whatever the sizes of its writes.
#[derive(Debug, Default)]
pub struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// A line longer than this many bytes is given out in pieces of this size.
    pub const LONGEST: usize = 256 * 1024;

    /// Calls `each` with every line that `bytes` completes, without its line feed.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() {
                each(line);
            } else {
                self.partial.extend_from_slice(line);
                each(&self.partial);
                self.partial.clear();
            }
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        while self.partial.len() >= Self::LONGEST {
            each(&self.partial[..Self::LONGEST]);
            self.partial.drain(..Self::LONGEST);
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
    use super::*;

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
        assert_eq!(out.iter().map(Vec::len).sum::<usize>(), long.len() + 1);
    }
}
