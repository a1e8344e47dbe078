//! Median and spread of a few rounds.

/// Median, least and most of the rounds that have a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) rounds: usize,
}

impl Spread {
    /// None without a value. Values that are not finite (a ratio to zero) do not count.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        };
        Some(Spread {
            median,
            least,
            most,
            rounds: values.len(),
        })
    }

    /// "median (least..most)" with `decimals`; thousands separated where there are none.
    pub(crate) fn text(&self, decimals: usize) -> String {
        let one = |value: f64| format_number(value, decimals);
        if self.rounds == 1 {
            return one(self.median);
        }
        format!(
            "{} ({}..{})",
            one(self.median),
            one(self.least),
            one(self.most)
        )
    }
}

/// Least by most: 1 is an even share, 0 means that somebody got nothing. None if nobody got anything.
pub(crate) fn evenness(shares: &[f64]) -> Option<f64> {
    let most = shares.iter().copied().fold(0.0, f64::max);
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    (most > 0.0).then(|| least / most)
}

/// A number for people: `decimals` of them, and commas in whole numbers.
pub(crate) fn format_number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if decimals > 0 {
        return text;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            (odd.median, odd.least, odd.most, odd.rounds),
            (2.0, 1.0, 3.0, 3)
        );
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(
            Spread::of([1.0, f64::INFINITY, f64::NAN]).unwrap().rounds,
            1
        );
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(format_number(1234567.4, 0), "1,234,567");
        assert_eq!(format_number(999.0, 0), "999");
        assert_eq!(format_number(0.126, 2), "0.13");
        assert_eq!(
            Spread::of([1.0, 2.0, 3000.0]).unwrap().text(0),
            "2 (1..3,000)"
        );
        assert_eq!(Spread::of([1.5]).unwrap().text(1), "1.5");
    }

    #[test]
    fn an_idle_worker_makes_the_share_zero() {
        assert_eq!(evenness(&[200.0, 200.0]), Some(1.0));
        assert_eq!(evenness(&[0.0, 400.0]), Some(0.0));
        assert_eq!(evenness(&[0.0, 0.0]), None);
        assert_eq!(evenness(&[]), None);
    }
}
