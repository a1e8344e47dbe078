//! `tine apply`.

use crate::args::keep::Apply;
use crate::trouble::Trouble;
use crate::ui::Ui;

pub(crate) fn run(_: &Apply, _: Ui) -> Result<u8, Trouble> {
    Err(Trouble::usage("it is not there yet"))
}
