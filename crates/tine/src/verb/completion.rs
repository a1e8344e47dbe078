//! `tine completion`: what a shell needs to complete words.

use crate::args::Args;
use crate::args::keep::{Completion, Shell};
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use clap::CommandFactory;
use clap_complete::aot;

pub(crate) fn run(args: &Completion) -> Result<u8, Trouble> {
    ui::print(&text(args.shell))?;
    Ok(exit::DONE)
}

fn text(shell: Shell) -> String {
    let mut command = Args::command();
    let mut bytes = Vec::new();
    match shell {
        Shell::Bash => clap_complete::generate(aot::Bash, &mut command, "tine", &mut bytes),
        Shell::Zsh => clap_complete::generate(aot::Zsh, &mut command, "tine", &mut bytes),
        Shell::Fish => clap_complete::generate(aot::Fish, &mut command, "tine", &mut bytes),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_told_every_verb() {
        let command = Args::command();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = text(shell);
            for verb in command.get_subcommands() {
                let name = verb.get_name();
                assert!(text.contains(name), "{shell:?} lacks {name}");
            }
            assert!(text.contains("kill-timeout"), "{shell:?} lacks options");
        }
    }
}
