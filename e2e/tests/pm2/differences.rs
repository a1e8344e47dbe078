//! In what does tine differ from PM2, and why?

/// A difference that cases may name. `docs/pm2.md` has the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    ExitCodes,
}

/// What stands in the document.
#[derive(Debug)]
pub(crate) struct Text {
    /// In a few words.
    pub(crate) what: &'static str,
    /// What PM2 does.
    pub(crate) pm2: &'static str,
    /// What tine does.
    pub(crate) tine: &'static str,
    /// The reason.
    pub(crate) why: &'static str,
}

impl Difference {
    /// All of them, in the order of the document.
    pub(crate) const ALL: &[Difference] = &[Difference::ExitCodes];

    /// Those that the runner takes into account by itself, in each case.
    pub(crate) const EVERYWHERE: &[Difference] = &[Difference::ExitCodes];

    pub(crate) fn text(self) -> Text {
        match self {
            Difference::ExitCodes => Text {
                what: "",
                pm2: "",
                tine: "",
                why: "",
            },
        }
    }
}
