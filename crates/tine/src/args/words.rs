//! How are single words of the command line read?

use std::time::Duration;

/// A whole number of milliseconds.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    let number: u64 = text
        .parse()
        .map_err(|_| "a whole number of milliseconds".to_owned())?;
    Ok(Duration::from_millis(number))
}

/// A time with a unit as in a process file: `500`, `30s`, `5m`, `1h`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a whole number of milliseconds, or with a unit: 30s, 5m, 1h".to_owned();
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1000),
        Some((at, 'm')) => (&text[..at], 60_000),
        Some((at, 'h')) => (&text[..at], 3_600_000),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = number.checked_mul(factor).ok_or_else(wrong)?;
    Ok(Duration::from_millis(millis))
}

/// The number of a signal, from its name or number.
pub(crate) fn signal(text: &str) -> Result<i32, String> {
    tine_daemon::signal_from_name(text)
        .ok_or_else(|| "the name or number of a signal, such as SIGTERM".to_owned())
}

/// The word of a signal, if it is one.
pub(crate) fn signal_word(text: &str) -> Result<String, String> {
    if tine_control::signal::is_known(text) {
        Ok(text.to_owned())
    } else {
        Err("the name or number of a signal, such as SIGTERM".to_owned())
    }
}

/// How many processes: `4`, `+2`, `-1` or `max`.
pub(crate) fn scale_to(text: &str) -> Result<tine_control::request::ScaleTo, String> {
    text.parse()
}

/// Names with commas or spaces between them.
pub(crate) fn names(given: &[String]) -> Vec<String> {
    given
        .iter()
        .flat_map(|text| text.split([',', ' ']))
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("0", 0),
            ("1500", 1500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "1.5s", "1d", "99999999999999999h", "é"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_split_at_commas_and_spaces() {
        let given = ["a,b".to_owned(), "c d".to_owned(), ",".to_owned()];
        assert_eq!(names(&given), ["a", "b", "c", "d"]);
    }
}
