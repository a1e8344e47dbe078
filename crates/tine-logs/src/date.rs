//! How is a date written?

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::io::Write as _;
use std::time::SystemTime;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The form of a date, in the letters of dayjs (<https://day.js.org/docs/en/display/format>).
///
/// | letters | |
/// |---|---|
/// | `YYYY` `YY` | year |
/// | `MMMM` `MMM` `MM` `M` | month: January, Jan, 01, 1 |
/// | `DD` `D` | day of the month |
/// | `dddd` `ddd` `dd` `d` | day of the week: Sunday, Sun, Su, 0 |
/// | `HH` `H` `hh` `h` `A` `a` | hour of the day; of half a day, with AM or am |
/// | `mm` `m` `ss` `s` `SSS` | minute, second, millisecond |
/// | `Z` `ZZ` | distance from UTC: +01:00, +0100 |
/// | `[text]` | the text as it is |
///
/// Whatever else there is stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Token(Token),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Year,
    YearOfCentury,
    MonthName,
    MonthShort,
    Month(Width),
    Day(Width),
    WeekdayName,
    WeekdayShort,
    WeekdayTwo,
    Weekday,
    Hour(Width),
    Hour12(Width),
    Minute(Width),
    Second(Width),
    Millisecond,
    HalfUpper,
    HalfLower,
    OffsetColon,
    Offset,
}

type Width = usize;

/// The longest first: `MMMM` is not four times `M`.
const TOKENS: [(&str, Token); 25] = [
    ("YYYY", Token::Year),
    ("YY", Token::YearOfCentury),
    ("MMMM", Token::MonthName),
    ("MMM", Token::MonthShort),
    ("MM", Token::Month(2)),
    ("M", Token::Month(1)),
    ("DD", Token::Day(2)),
    ("D", Token::Day(1)),
    ("dddd", Token::WeekdayName),
    ("ddd", Token::WeekdayShort),
    ("dd", Token::WeekdayTwo),
    ("d", Token::Weekday),
    ("HH", Token::Hour(2)),
    ("H", Token::Hour(1)),
    ("hh", Token::Hour12(2)),
    ("h", Token::Hour12(1)),
    ("mm", Token::Minute(2)),
    ("m", Token::Minute(1)),
    ("ss", Token::Second(2)),
    ("s", Token::Second(1)),
    ("SSS", Token::Millisecond),
    ("A", Token::HalfUpper),
    ("a", Token::HalfLower),
    ("ZZ", Token::Offset),
    ("Z", Token::OffsetColon),
];

impl DateFormat {
    /// Reads a form. There is no wrong one: what is no letter of dayjs stands for itself.
    #[must_use]
    pub fn new(form: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = form;
        while let Some(first) = rest.chars().next() {
            if let Some((text, after)) = quoted(rest) {
                literal.push_str(text);
                rest = after;
            } else if let Some((token, after)) = token(rest) {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Token(token));
                rest = after;
            } else {
                literal.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Self { pieces }
    }

    /// The form that PM2's `time: true` means: `2026-01-31T23:59:59`.
    #[must_use]
    pub fn time() -> Self {
        Self::new("YYYY-MM-DDTHH:mm:ss")
    }

    /// The date in this form, in the time zone of the machine (or of the variable `TZ`).
    #[must_use]
    pub fn format(&self, at: SystemTime) -> String {
        self.format_in(at, TimeZone::system())
    }

    fn format_in(&self, at: SystemTime, zone: TimeZone) -> String {
        let at = timestamp(at).to_zoned(zone);
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                // Writing to memory does not fail.
                Piece::Token(token) => drop(write(&mut out, *token, &at)),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// The moment as JavaScript's `toISOString` writes it: `2026-01-31T22:59:59.123Z`.
pub(crate) fn iso(at: SystemTime) -> String {
    format!("{:.3}", timestamp(at))
}

/// A time that the calendar cannot hold (before the year -9999) is told as 1970.
fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn quoted(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix('[')?;
    let end = inner.find(']')?;
    (end > 0).then(|| (&inner[..end], &inner[end + 1..]))
}

fn token(rest: &str) -> Option<(Token, &str)> {
    TOKENS
        .iter()
        .find_map(|(letters, token)| Some((*token, rest.strip_prefix(letters)?)))
}

fn write(out: &mut Vec<u8>, token: Token, at: &Zoned) -> std::io::Result<()> {
    let month = MONTHS[usize::from(at.month().unsigned_abs()) - 1];
    let weekday = usize::from(at.weekday().to_sunday_zero_offset().unsigned_abs());
    let day_name = DAYS[weekday];
    let half = |upper, lower| if at.hour() < 12 { upper } else { lower };
    match token {
        Token::Year => write!(out, "{:04}", at.year()),
        Token::YearOfCentury => write!(out, "{:02}", at.year().rem_euclid(100)),
        Token::MonthName => write!(out, "{month}"),
        Token::MonthShort => write!(out, "{}", &month[..3]),
        Token::Month(width) => write!(out, "{:0width$}", at.month()),
        Token::Day(width) => write!(out, "{:0width$}", at.day()),
        Token::WeekdayName => write!(out, "{day_name}"),
        Token::WeekdayShort => write!(out, "{}", &day_name[..3]),
        Token::WeekdayTwo => write!(out, "{}", &day_name[..2]),
        Token::Weekday => write!(out, "{weekday}"),
        Token::Hour(width) => write!(out, "{:0width$}", at.hour()),
        Token::Hour12(width) => write!(out, "{:0width$}", (at.hour() + 11) % 12 + 1),
        Token::Minute(width) => write!(out, "{:0width$}", at.minute()),
        Token::Second(width) => write!(out, "{:0width$}", at.second()),
        Token::Millisecond => write!(out, "{:03}", at.millisecond()),
        Token::HalfUpper => write!(out, "{}", half("AM", "PM")),
        Token::HalfLower => write!(out, "{}", half("am", "pm")),
        Token::OffsetColon => offset(out, at, ":"),
        Token::Offset => offset(out, at, ""),
    }
}

fn offset(out: &mut Vec<u8>, at: &Zoned, between: &str) -> std::io::Result<()> {
    let seconds = at.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    write!(out, "{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use std::time::Duration;

    /// 2026-02-03 04:05:06.007 UTC, a Tuesday.
    fn early() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_770_091_506_007)
    }

    fn at(form: &str, hours: u64, zone: &TimeZone) -> String {
        let time = early() + Duration::from_secs(hours * 3600);
        DateFormat::new(form).format_in(time, zone.clone())
    }

    #[test]
    fn every_letter_of_dayjs_means_what_it_means_there() {
        let zone = TimeZone::UTC;
        for (form, expected) in [
            ("YYYY-MM-DDTHH:mm:ss.SSS", "2026-02-03T04:05:06.007"),
            ("YY M D H h m s", "26 2 3 4 4 5 6"),
            ("MMMM MMM", "February Feb"),
            ("dddd ddd dd d", "Tuesday Tue Tu 2"),
            ("hh A a", "04 AM am"),
            ("Z ZZ", "+00:00 +0000"),
            ("[at] HH [h]", "at 04 h"),
            ("[YYYY", "[2026"),
            ("[] ü % {} SS S Y", "[] ü % {} SS S Y"),
            ("", ""),
        ] {
            assert_eq!(at(form, 0, &zone), expected, "{form}");
        }
    }

    #[test]
    fn the_clock_of_twelve_hours_has_no_hour_zero() {
        let zone = TimeZone::UTC;
        assert_eq!(at("h A", 8, &zone), "12 PM");
        assert_eq!(at("hh a", 20, &zone), "12 am");
        assert_eq!(at("h a", 13, &zone), "5 pm");
    }

    #[test]
    fn offsets_of_half_hours_and_in_the_west_are_right() {
        let hours = |seconds| TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).unwrap());
        assert_eq!(at("HH:mm Z ZZ", 0, &hours(19_800)), "09:35 +05:30 +0530");
        assert_eq!(at("DD HH Z", 0, &hours(-12_600)), "03 00 -03:30");
        assert_eq!(at("DD HH Z", 0, &hours(-36_000)), "02 18 -10:00");
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "this test again, in another time zone"
    )]
    fn the_time_zone_of_the_variable_counts() {
        let name = "date::tests::the_time_zone_of_the_variable_counts";
        if std::env::var("TZ").is_ok_and(|zone| zone == "FAR-9:45") {
            let date = DateFormat::new("HH:mm Z").format(early());
            assert_eq!(date, "13:50 +09:45");
            return;
        }
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("TZ", "FAR-9:45")
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn times_beyond_the_calendar_do_not_panic() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60);
        assert_eq!(
            DateFormat::new("YYYY").format_in(far, TimeZone::UTC),
            "1970"
        );
        assert_eq!(iso(far), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(early()), "2026-02-03T04:05:06.007Z");
    }
}
