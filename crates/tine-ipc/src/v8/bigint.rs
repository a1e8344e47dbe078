//! What number is a `BigInt`?

use std::fmt;
use std::str::FromStr;

/// An integer of any size.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct BigInt {
    negative: bool,
    /// The magnitude, the least significant word first; the last one is not 0.
    words: Box<[u64]>,
}

/// The largest power of ten in a word, and its exponent.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 19;

impl BigInt {
    /// From its sign and magnitude, the least significant word first.
    #[must_use]
    pub fn from_words(negative: bool, mut words: Vec<u64>) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        Self {
            negative: negative && !words.is_empty(),
            words: words.into(),
        }
    }

    /// Whether it is below 0.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The magnitude, the least significant word first; empty for 0.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    fn magnitude(&self) -> Option<u128> {
        match *self.words {
            [] => Some(0),
            [low] => Some(u128::from(low)),
            [low, high] => Some(u128::from(high) << 64 | u128::from(low)),
            _ => None,
        }
    }
}

impl From<u128> for BigInt {
    fn from(number: u128) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "one half at a time")]
        Self::from_words(false, vec![number as u64, (number >> 64) as u64])
    }
}

impl From<i128> for BigInt {
    fn from(number: i128) -> Self {
        Self {
            negative: number < 0,
            ..Self::from(number.unsigned_abs())
        }
    }
}

impl From<u64> for BigInt {
    fn from(number: u64) -> Self {
        Self::from(u128::from(number))
    }
}

impl From<i64> for BigInt {
    fn from(number: i64) -> Self {
        Self::from(i128::from(number))
    }
}

/// The number does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a BigInt that does not fit")]
pub struct BigIntRangeError;

impl TryFrom<&BigInt> for u128 {
    type Error = BigIntRangeError;

    fn try_from(number: &BigInt) -> Result<Self, Self::Error> {
        let magnitude = number.magnitude().filter(|_| !number.negative);
        magnitude.ok_or(BigIntRangeError)
    }
}

impl TryFrom<&BigInt> for i128 {
    type Error = BigIntRangeError;

    fn try_from(number: &BigInt) -> Result<Self, Self::Error> {
        let magnitude = number.magnitude().ok_or(BigIntRangeError)?;
        if number.negative {
            0i128.checked_sub_unsigned(magnitude)
        } else {
            i128::try_from(magnitude).ok()
        }
        .ok_or(BigIntRangeError)
    }
}

/// In decimal digits. The time grows with the square of the length: a number of 64 KiB takes
/// some tens of milliseconds.
impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.words.to_vec();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let mut remainder = 0u128;
            for word in rest.iter_mut().rev() {
                let dividend = remainder << 64 | u128::from(*word);
                #[allow(clippy::cast_possible_truncation, reason = "remainder < CHUNK")]
                {
                    *word = (dividend / u128::from(CHUNK)) as u64;
                }
                remainder = dividend % u128::from(CHUNK);
            }
            while rest.last() == Some(&0) {
                rest.pop();
            }
            chunks.push(remainder);
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        while let Some(chunk) = chunks.pop() {
            text.push_str(&format!("{chunk:0CHUNK_DIGITS$}"));
        }
        f.pad_integral(!self.negative, "", &text)
    }
}

/// The text is no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an integer in decimal digits")]
pub struct ParseBigIntError;

impl FromStr for BigInt {
    type Err = ParseBigIntError;

    /// Decimal digits, with `-` in front if negative.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseBigIntError);
        }
        let mut words: Vec<u64> = Vec::new();
        let mut rest = digits;
        while !rest.is_empty() {
            // The first chunk takes what does not fill a whole one.
            let take = (rest.len() - 1) % CHUNK_DIGITS + 1;
            let (chunk, behind) = rest.split_at(take);
            rest = behind;
            let mut carry: u128 = chunk.parse().map_err(|_| ParseBigIntError)?;
            for word in &mut words {
                let product = u128::from(*word) * u128::from(CHUNK) + carry;
                #[allow(clippy::cast_possible_truncation, reason = "the carry takes the rest")]
                {
                    *word = product as u64;
                }
                carry = product >> 64;
            }
            if let Ok(word @ 1..) = u64::try_from(carry) {
                words.push(word);
            }
        }
        Ok(Self::from_words(negative, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_and_words_say_the_same(number in any::<i128>(), small in any::<i64>()) {
            for number in [number, small.into()] {
                let big = BigInt::from(number);
                prop_assert_eq!(big.to_string(), number.to_string());
                prop_assert_eq!(number.to_string().parse::<BigInt>(), Ok(big.clone()));
                prop_assert_eq!(i128::try_from(&big), Ok(number));
                prop_assert_eq!(u128::try_from(&big).ok(), u128::try_from(number).ok());
            }
        }

        #[test]
        fn long_numbers_return(negative: bool, words in prop::collection::vec(any::<u64>(), 0..40)) {
            let big = BigInt::from_words(negative, words);
            prop_assert_eq!(big.to_string().parse::<BigInt>(), Ok(big));
        }
    }

    #[test]
    fn zero_has_no_sign_and_no_words() {
        for text in ["0", "-0", "000"] {
            let zero: BigInt = text.parse().unwrap();
            assert_eq!((zero.is_negative(), zero.words().len()), (false, 0));
            assert_eq!(zero.to_string(), "0");
        }
        for text in ["", "-", "--1", "+1", "1.0", "0x1", " 1", "1n"] {
            assert_eq!(text.parse::<BigInt>(), Err(ParseBigIntError), "{text}");
        }
        let two_to_the_128 = "340282366920938463463374607431768211456";
        let big: BigInt = two_to_the_128.parse().unwrap();
        assert_eq!(big.words(), [0, 0, 1]);
        assert_eq!(big.to_string(), two_to_the_128);
        assert_eq!(u128::try_from(&big), Err(BigIntRangeError));
    }
}
