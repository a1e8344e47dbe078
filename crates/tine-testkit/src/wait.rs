use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// The longest pause between two looks.
const LONGEST_PARK: Duration = Duration::from_millis(20);

/// What a condition may answer: `bool`, `Option<T>` or `Result<T, E>`.
pub trait Outcome {
    /// What there is once the condition holds.
    type Value;

    /// The value, or what is to be said about the last look if time runs out.
    ///
    /// # Errors
    /// When the condition does not hold yet.
    fn look(self) -> Result<Self::Value, String>;
}

impl Outcome for bool {
    type Value = ();

    fn look(self) -> Result<(), String> {
        if self {
            Ok(())
        } else {
            Err("it was false".to_owned())
        }
    }
}

impl<T> Outcome for Option<T> {
    type Value = T;

    fn look(self) -> Result<T, String> {
        self.ok_or_else(|| "there was nothing".to_owned())
    }
}

impl<T, E: Display> Outcome for Result<T, E> {
    type Value = T;

    fn look(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks again and again until `condition` holds, and returns its value.
///
/// It always looks once more after the deadline, so a busy machine is no reason to fail.
///
/// # Panics
/// When `deadline` passes first, with `what` and the answer of the last look.
#[track_caller]
pub fn until<O: Outcome>(what: &str, deadline: Duration, condition: impl FnMut() -> O) -> O::Value {
    match try_until(deadline, condition) {
        Ok(value) => value,
        Err(last) => panic!("waited {deadline:?} for: {what}; at the last look {last}"),
    }
}

/// As [`until`], for those who can do something about it.
///
/// # Errors
/// What the last look said, when `deadline` passes first.
pub fn try_until<O: Outcome>(
    deadline: Duration,
    mut condition: impl FnMut() -> O,
) -> Result<O::Value, String> {
    let end = Instant::now() + deadline;
    let mut park = Duration::from_millis(1);
    loop {
        let late = Instant::now() >= end;
        match condition().look() {
            Ok(value) => return Ok(value),
            Err(last) if late => return Err(last),
            Err(_) => {}
        }
        thread::park_timeout(park.min(end.saturating_duration_since(Instant::now())));
        park = (park * 2).min(LONGEST_PARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_is_returned() {
        let mut looks = 0;
        let seen = until("the third look", Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(seen, 3);
    }

    #[test]
    #[should_panic(expected = "for: the moon; at the last look no moon")]
    fn a_condition_that_never_holds_panics_with_its_name() {
        until("the moon", Duration::from_millis(10), || {
            Err::<(), _>("no moon")
        });
    }
}
