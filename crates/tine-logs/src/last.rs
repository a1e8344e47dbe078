//! What did it say last?

use std::collections::VecDeque;

/// The last lines of a program, in bounded memory.
#[derive(Debug, Clone)]
pub struct LastLines {
    lines: VecDeque<String>,
    most: usize,
}

impl LastLines {
    /// Characters kept of a line.
    pub const WIDTH: usize = 2000;

    /// Keeps at most `most` lines.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            most,
        }
    }

    /// Remembers a line. Bytes that are not UTF-8 are replaced.
    pub fn push(&mut self, line: &[u8]) {
        if self.most == 0 {
            return;
        }
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        let line = &line[..line.len().min(4 * Self::WIDTH)];
        let text = String::from_utf8_lossy(line);
        self.lines
            .push_back(text.chars().take(Self::WIDTH).collect());
    }

    /// The lines, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut last = LastLines::new(2);
        for line in ["one", "two", "three"] {
            last.push(line.as_bytes());
        }
        assert_eq!(last.iter().collect::<Vec<_>>(), ["two", "three"]);
    }

    #[test]
    fn a_huge_line_does_not_take_huge_memory() {
        let mut last = LastLines::new(1);
        last.push(&vec![0xC3; 1 << 20]);
        assert_eq!(
            last.iter().next().unwrap().chars().count(),
            LastLines::WIDTH
        );
    }
}
