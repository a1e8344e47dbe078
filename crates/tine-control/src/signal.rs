//! Which words name a signal?

/// The names of the signals 1 to 31 on Linux, as signal(7) has them for x86 and ARM.
pub const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// Whether a word names a signal: `SIGTERM`, `TERM`, `sigterm`, or a number from 1 to 64. The
/// number behind a name is the daemon's to know.
#[must_use]
pub fn is_known(word: &str) -> bool {
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word
            .parse::<u8>()
            .is_ok_and(|number| (1..=64).contains(&number));
    }
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES
        .iter()
        .any(|name| name.strip_prefix("SIG") == Some(bare))
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn signals_are_known_by_name_and_number() {
        for word in ["SIGINT", "int", "sigTerm", "USR2", "1", "64"] {
            assert!(is_known(word), "{word}");
        }
        for word in [
            "",
            "SIG",
            "0",
            "65",
            "-1",
            "SIGSIGINT",
            "SIGNOPE",
            "9.0",
            " INT",
        ] {
            assert!(!is_known(word), "{word}");
        }
    }
}
