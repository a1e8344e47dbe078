//! How do rows fit into the width of a terminal?

use crate::style::{Role, Styles};
use unicode_width::UnicodeWidthStr;

/// Spaces between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) head: &'static str,
    /// Whether its texts end at the same place, as numbers do.
    pub(crate) right: bool,
    /// When there is not enough room, the column with the highest number goes first; 0 stays.
    pub(crate) leaves: u8,
    /// It may be cut down to so many; none: it is never cut.
    pub(crate) at_least: Option<usize>,
}

/// One text of a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) role: Option<Role>,
}

impl Cell {
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Cell {
            text: text.into(),
            role: None,
        }
    }

    pub(crate) fn painted(text: impl Into<String>, role: Role) -> Self {
        Cell {
            text: text.into(),
            role: Some(role),
        }
    }
}

/// Lays rows out below their heads. With a width, columns are left out and cut until all lines fit;
/// without, everything is shown.
pub(crate) fn render(
    columns: &[Column],
    rows: &[Vec<Cell>],
    width: Option<usize>,
    styles: Styles,
) -> String {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.head.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(wide(&cell.text));
        }
    }
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    if let Some(room) = width {
        fit(columns, &mut widths, &mut shown, room);
    }
    let mut text = String::with_capacity((rows.len() + 1) * 100);
    let heads: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::painted(column.head, Role::Own))
        .collect();
    line(&mut text, columns, &heads, &widths, &shown, styles);
    for row in rows {
        line(&mut text, columns, row, &widths, &shown, styles);
    }
    text
}

/// Leaves columns out, then cuts, until the rest fits.
fn fit(columns: &[Column], widths: &mut [usize], shown: &mut Vec<usize>, room: usize) {
    let needed = |widths: &[usize], shown: &[usize]| -> usize {
        let gaps = GAP * shown.len().saturating_sub(1);
        shown.iter().map(|at| widths[*at]).sum::<usize>() + gaps
    };
    let least = |widths: &[usize], shown: &[usize]| -> usize {
        let gaps = GAP * shown.len().saturating_sub(1);
        let cut = |at: &usize| {
            columns[*at]
                .at_least
                .map_or(widths[*at], |least| least.min(widths[*at]))
        };
        shown.iter().map(cut).sum::<usize>() + gaps
    };
    // A column goes only when cutting alone does not help.
    while least(widths, shown) > room {
        let going = shown
            .iter()
            .enumerate()
            .max_by_key(|(_, at)| columns[**at].leaves)
            .filter(|(_, at)| columns[**at].leaves > 0);
        match going {
            Some((place, _)) => {
                shown.remove(place);
            }
            None => break,
        }
    }
    // The widest of those that may be cut gives first.
    let mut over = needed(widths, shown).saturating_sub(room);
    while over > 0 {
        let spare = |at: &usize| {
            columns[*at]
                .at_least
                .map_or(0, |least| widths[*at].saturating_sub(least))
        };
        match shown
            .iter()
            .copied()
            .max_by_key(|at| (spare(at) > 0, widths[*at]))
        {
            Some(at) if spare(&at) > 0 => {
                widths[at] -= 1;
                over -= 1;
            }
            _ => break,
        }
    }
}

fn line(
    text: &mut String,
    columns: &[Column],
    row: &[Cell],
    widths: &[usize],
    shown: &[usize],
    styles: Styles,
) {
    let last = shown.last();
    for at in shown {
        let (Some(cell), column, room) = (row.get(*at), columns[*at], widths[*at]) else {
            continue;
        };
        let own = wide(&cell.text);
        let (content, own) = if own > room {
            let cut = cut(&cell.text, room);
            let own = wide(&cut);
            (std::borrow::Cow::Owned(cut), own)
        } else {
            (std::borrow::Cow::Borrowed(cell.text.as_str()), own)
        };
        let spaces = room.saturating_sub(own);
        if column.right {
            pad(text, spaces);
        }
        match cell.role {
            Some(role) if !styles.is_plain() => text.push_str(&styles.paint(role, &content)),
            _ => text.push_str(&content),
        }
        if Some(at) != last {
            if !column.right {
                pad(text, spaces);
            }
            pad(text, GAP);
        }
    }
    // An empty cell at the end leaves the gap before it.
    let end = text.trim_end_matches(' ').len();
    text.truncate(end);
    text.push('\n');
}

fn pad(text: &mut String, spaces: usize) {
    text.extend(std::iter::repeat_n(' ', spaces));
}

fn wide(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// The beginning of a text, with a mark that there was more.
fn cut(text: &str, room: usize) -> String {
    let mut short = String::new();
    let mut wide = 1;
    for letter in text.chars() {
        wide += unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0);
        if wide > room {
            break;
        }
        short.push(letter);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column {
            head: "id",
            right: true,
            leaves: 0,
            at_least: None,
        },
        Column {
            head: "name",
            right: false,
            leaves: 0,
            at_least: Some(6),
        },
        Column {
            head: "more",
            right: false,
            leaves: 1,
            at_least: None,
        },
    ];

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::of("1"), Cell::of("a-long-name"), Cell::of("x")],
            vec![Cell::of("100"), Cell::of("größe"), Cell::default()],
        ]
    }

    fn at(width: Option<usize>) -> String {
        render(&COLUMNS, &rows(), width, Styles::plain())
    }

    #[test]
    fn without_a_width_everything_is_shown() {
        assert_eq!(
            at(None),
            " id  name         more\n  1  a-long-name  x\n100  größe\n"
        );
    }

    #[test]
    fn with_a_width_texts_are_cut_and_then_columns_left_out() {
        assert_eq!(
            at(Some(20)),
            " id  name       more\n  1  a-long-n…  x\n100  größe\n"
        );
        assert_eq!(at(Some(14)), " id  name\n  1  a-long-n…\n100  größe\n");
        for width in 11..40 {
            for line in at(Some(width)).lines() {
                assert!(wide(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn wide_letters_take_two_places() {
        let rows = vec![vec![Cell::of("1"), Cell::of("日本語日本語"), Cell::of("x")]];
        let text = render(&COLUMNS, &rows, Some(20), Styles::plain());
        assert_eq!(text, "id  name        more\n 1  日本語日…   x\n");
    }

    #[test]
    fn colours_do_not_move_anything() {
        let plain = at(None);
        let mut rows = rows();
        rows[0][1].role = Some(Role::Good);
        let coloured = render(&COLUMNS, &rows, None, Styles::coloured());
        assert_ne!(coloured, plain);
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }
}
