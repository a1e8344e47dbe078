//! What does a first process file look like?

/// A process file to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// `ecosystem.config.js` with what is asked for most often: `tine ecosystem`.
    Ecosystem,
    /// `ecosystem.config.js` with one app and no more: `tine ecosystem simple`.
    Simple,
    /// `tine.toml`: `tine init`.
    Toml,
}

impl Template {
    /// The name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Template::Ecosystem | Template::Simple => "ecosystem.config.js",
            Template::Toml => "tine.toml",
        }
    }

    /// Its text, which loads without a warning where there is an `app.js`. In a package that is
    /// `"type": "module"`, the JavaScript ones are to be called `ecosystem.config.cjs`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Template::Ecosystem => include_str!("template/ecosystem.config.js"),
            Template::Simple => include_str!("template/simple.config.js"),
            Template::Toml => include_str!("template/tine.toml"),
        }
    }
}
