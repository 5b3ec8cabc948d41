//! `api-together completions SHELL` and `api-together man [DIR]`: made from the command line's own declarations.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::CliError;
use super::terminal::count;

#[derive(Debug, Args)]
#[command(after_help = INSTALL)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder. Without one the main page is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Where the scripts go.
const INSTALL: &str = "\
bash:  api-together completions bash > ~/.local/share/bash-completion/completions/api-together
zsh:   api-together completions zsh > \"${fpath[1]}/_api-together\"
fish:  api-together completions fish > ~/.config/fish/completions/api-together.fish";

/// Prints the script for a shell.
pub(super) fn completions(args: CompletionsArgs, mut command: Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    // A hyphen in the name makes clap_complete 4.6 write two labels for one thing, and bash completes nothing.
    let script = String::from_utf8_lossy(&script).replace("api__subcmd__together", "api__together");
    io::stdout().write_all(script.as_bytes())?;
    Ok(())
}

/// Prints the main page, or writes all pages.
pub(super) fn man(args: ManArgs, mut command: Command) -> Result<(), CliError> {
    // Puts the options of all commands, and the names of the pages, in place.
    command.build();
    let Some(folder) = args.folder else {
        clap_mangen::Man::new(command).render(&mut io::stdout())?;
        return Ok(());
    };
    let told = |error: io::Error| CliError::Server(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(told)?;
    let mut written = 0;
    let mut next = vec![command];
    while let Some(command) = next.pop() {
        let subcommands =
            command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
        next.extend(subcommands.cloned());
        let man = clap_mangen::Man::new(command);
        let mut page = Vec::new();
        man.render(&mut page)?;
        fs::write(folder.join(man.get_filename()), page).map_err(told)?;
        written += 1;
    }
    writeln!(io::stdout(), "{} in {}", count(written, "page"), folder.display())?;
    Ok(())
}
