//! How are times and sizes put into words?

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, now.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A length of time in milliseconds, as short as it is telling: `45s`, `12m`, `5h12m`, `3d4h`,
/// `120d`.
pub(crate) fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: u64, unit: char, small: u64, of: char| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{of}")
        }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m"),
        3600..86_400 => two(hours, 'h', minutes % 60, 'm'),
        86_400..864_000 => two(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

/// A length of time in milliseconds, exactly enough to understand a failure: `180ms`, `2.4s`.
pub(crate) fn short_span(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        _ => span(millis),
    }
}

/// A number of bytes: `0`, `812K`, `48.6M`, `1.2G`; each unit is 1024 of the one before.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if count < 1024 {
        return format!("{count}");
    }
    // Tenths of a unit, in whole numbers.
    let mut tenths = u128::from(count) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let unit = UNITS[unit];
    if tenths >= 1000 {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

/// A time of day, in milliseconds since 1970, as ISO 8601 in UTC.
pub(crate) fn iso(millis: u64) -> String {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    let (year, month, day) = civil(days);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of the Gregorian calendar, of so many days after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from the first of March of year 0, so that the leap day is the last of a year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Text that may stand on a terminal: control characters could do anything there.
pub(crate) fn harmless(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .map(|letter| {
                if letter.is_control() {
                    '\u{fffd}'
                } else {
                    letter
                }
            })
            .collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (millis, words) in [
            (0, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (3_599_000, "59m"),
            (3_600_000, "1h"),
            (18_720_000, "5h12m"),
            (86_400_000, "1d"),
            (273_600_000, "3d4h"),
            (864_000_000, "10d"),
            (u64::MAX, "213503982334d"),
        ] {
            assert_eq!(span(millis), words, "{millis}");
        }
        for (millis, words) in [(180, "180ms"), (2_450, "2.4s"), (60_000, "1m")] {
            assert_eq!(short_span(millis), words);
        }
    }

    #[test]
    fn bytes_have_three_digits_or_so() {
        for (count, words) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (51_134_464, "48.7M"),
            (104_857_600, "100M"),
            (1_073_741_823, "1023M"),
            (1_073_741_824, "1.0G"),
            (u64::MAX, "16383P"),
        ] {
            assert_eq!(bytes(count), words, "{count}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (millis, words) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_763_820_001_234, "2025-11-22T14:00:01.234Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso(millis), words);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(harmless("größe"), "größe");
    }
}
