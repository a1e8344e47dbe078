//! `tine init`.

use crate::args::keep::Init;
use crate::trouble::Trouble;
use crate::ui::Ui;

pub(crate) fn run(_: &Init, _: Ui) -> Result<u8, Trouble> {
    Err(Trouble::usage("it is not there yet"))
}
