//! `tine check`.

use crate::args::keep::Check;
use crate::trouble::Trouble;
use crate::ui::Ui;

pub(crate) fn run(_: &Check, _: Ui) -> Result<u8, Trouble> {
    Err(Trouble::usage("it is not there yet"))
}
