//! Colours, where somebody can see them.

use anstyle::{AnsiColor, Color, Style};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the command line refused colours (`--no-color`).
static REFUSED: AtomicBool = AtomicBool::new(false);

/// From now on there are no colours.
pub(crate) fn refuse_colours() {
    REFUSED.store(true, Ordering::Relaxed);
}

/// Whether and how words are coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Styles {
    coloured: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Slot(usize),
    Own,
    Good,
    Bad,
    Hint,
    Busy,
    Quiet,
    Marked,
}

impl Styles {
    /// Colours for a stream that a person reads, unless `NO_COLOR` is set.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let refused = REFUSED.load(Ordering::Relaxed)
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            coloured: stream.is_terminal() && !refused && !dumb,
        }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { coloured: false }
    }

    /// Colours, wherever it goes.
    #[cfg(test)]
    pub(crate) fn coloured() -> Self {
        Self { coloured: true }
    }

    /// Whether there are colours.
    pub(crate) fn is_plain(self) -> bool {
        !self.coloured
    }

    /// The text in the colour of its role.
    pub(crate) fn paint(self, role: Role, text: &str) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let style = role.style();
        format!("{style}{text}{style:#}")
    }
}

impl Role {
    fn style(self) -> Style {
        const SLOTS: [AnsiColor; 6] = [
            AnsiColor::Cyan,
            AnsiColor::Magenta,
            AnsiColor::Blue,
            AnsiColor::Green,
            AnsiColor::BrightCyan,
            AnsiColor::BrightMagenta,
        ];
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(Color::Ansi(colour)));
        match self {
            Self::Slot(slot) => colour(SLOTS[slot % SLOTS.len()]),
            Self::Own => Style::new().bold(),
            Self::Good => colour(AnsiColor::Green),
            Self::Bad => colour(AnsiColor::Red),
            Self::Hint => colour(AnsiColor::Yellow),
            Self::Busy => colour(AnsiColor::Blue),
            Self::Quiet => Style::new().dimmed(),
            Self::Marked => Style::new().invert(),
        }
    }
}
