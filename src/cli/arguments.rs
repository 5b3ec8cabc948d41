//! Parses the command line. What a person typed wrongly may be a key in the wrong place: an error names the argument and
//! what the argument takes, and never shows a value.

use std::ffi::OsString;
use std::io::Write;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Command, Parser};

/// Stands for a hidden text.
const HIDDEN: &str = "…";

/// Parses the arguments of this process. On a mistake, and for `--help` and `--version`, the process ends.
pub(super) fn parse<Cli: Parser>() -> Cli {
    let parsed = Cli::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.unwrap_or_else(|mut error| {
        let late = behind_the_command(&error);
        hide_values(&mut error);
        let error = error.format(&mut Cli::command());
        let hint = || hint(&error, std::env::args_os().skip(1).collect(), Cli::command()).map(str::to_owned);
        if let Some(hint) = late.or_else(hint) {
            // The error itself says that nobody reads.
            let _ = error.print();
            let _ = writeln!(std::io::stderr(), "\n  {hint}");
            std::process::exit(error.exit_code());
        }
        error.exit()
    })
}

/// Returns where options belong that stand in front of a command.
fn behind_the_command(error: &Error) -> Option<String> {
    let command = error.get(ContextKind::InvalidSubcommand).filter(|_| error.kind() == ErrorKind::ArgumentConflict)?;
    let options = error.get(ContextKind::PriorArg)?;
    let options = if let ContextValue::Strings(several) = options { several.join(" ") } else { options.to_string() };
    Some(format!("write options behind the command: {command} {options}"))
}

/// Returns what was probably meant.
fn hint(error: &Error, arguments: Vec<OsString>, program: Command) -> Option<&'static str> {
    let is_unknown = matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand);
    let is_run = arguments.first().is_some_and(|command| command == "run");
    if error.use_stderr() && is_run && !arguments.iter().any(|argument| argument == "--") {
        return Some("arguments for the program go behind --: run NAME -- ARGS");
    }
    let is_file = |argument: &OsString| argument.to_str().is_some_and(|text| text.ends_with(".json"));
    let is_named = |pair: &[OsString]| matches!(pair, [option, file] if is_file(file) && option.to_string_lossy().starts_with('-'));
    let is_loose = arguments.iter().any(is_file) && !arguments.windows(2).any(is_named);
    let command =
        arguments.iter().fold(&program, |command, argument| command.find_subcommand(argument).unwrap_or(command));
    let takes_file = command.get_arguments().any(|argument| argument.get_short() == Some('c'));
    (is_unknown && is_loose && takes_file).then_some("a configuration is named with -c: -c FILE")
}

/// Hides all that is no name of an option, an argument or a command.
fn hide_values(error: &mut Error) {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        if error.remove(kind).is_some() {
            error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
        }
    }
    // An unknown argument, or a known option without a value.
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && !argument.split([' ', '=']).next().is_some_and(|first| is_option(first) || is_placeholder(first))
    {
        error.insert(ContextKind::InvalidArg, ContextValue::String(HIDDEN.to_owned()));
        // These hints repeat the argument.
        error.remove(ContextKind::Suggested);
    }
}

fn is_option(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
}

/// Returns whether a text is the name of an argument without an option, as clap shows one: `<AGENT>`, `[MODEL]`, `[ARGS]...`.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    let required = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let optional = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let name = required.or(optional);
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "program", args_conflicts_with_subcommands = true)]
    struct Cli {
        #[arg(long)]
        port: Option<u16>,
        #[arg(long, value_parser = ["chat", "start"])]
        only: Option<String>,
        #[command(subcommand)]
        command: Option<What>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum What {
        Agent {
            #[arg(value_parser = ["claude"])]
            agent: Option<String>,
            #[arg(short)]
            config: Option<String>,
        },
        Import {
            file: String,
        },
        Run {
            #[arg(value_parser = ["claude"])]
            agent: String,
        },
    }

    fn message(arguments: &[&str]) -> String {
        let mut error = Cli::try_parse_from([&["program"], arguments].concat()).expect_err("a mistake");
        hide_values(&mut error);
        error.to_string()
    }

    #[test]
    fn a_mistake_is_named_and_its_value_is_not_shown() {
        for (arguments, named) in [
            (&["--port", "sk-secret"][..], "--port <PORT>"),
            (&["--port=sk-secret"], "--port <PORT>"),
            (&["--only", "sk-secret"], "possible values: chat, start"),
            (&["agent", "sk-secret"], "for '[AGENT]'"),
            (&["run", "sk-secret"], "for '<AGENT>'"),
            (&["run", "claude", "sk-secret"], "unexpected argument"),
            (&["run", "claude", "[sk-secret]"], "unexpected argument"),
            (&["sk-secret"], "unrecognized subcommand"),
            (&["-sk-secret"], "unexpected argument"),
            (&["--sk-secret-1"], "unexpected argument"),
            (&["--prt=sk-secret"], "'--prt'"),
            (&["--port"], "--port <PORT>"),
            (&["--", "sk-secret"], "unrecognized subcommand"),
        ] {
            let message = message(arguments);
            assert!(message.contains(named) && !message.contains("secret"), "{arguments:?}: {message}");
        }
    }

    #[test]
    fn options_in_front_of_a_command_belong_behind_it() {
        for (arguments, says) in [
            (&["--port", "1", "agent"][..], Some("agent --port <PORT>")),
            (&["--only", "chat", "run", "claude"], Some("run --only <ONLY>")),
            (&["--port", "x"], None),
        ] {
            let error = Cli::try_parse_from(["program"].iter().chain(arguments)).expect_err("a mistake");
            let hint = behind_the_command(&error);
            let wanted = says.map(|says| format!("write options behind the command: {says}"));
            assert_eq!(hint, wanted, "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_file_without_its_option_and_arguments_without_a_separator_have_a_hint() {
        let hint = |arguments: &[&str]| {
            let error = Cli::try_parse_from(["program"].iter().chain(arguments)).expect_err("unknown");
            super::hint(&error, arguments.iter().map(OsString::from).collect(), Cli::command())
        };
        assert!(hint(&["agent", "claude", "my.json"]).is_some_and(|hint| hint.contains("-c FILE")));
        assert!(hint(&["run", "claude", "--print"]).is_some_and(|hint| hint.contains("run NAME -- ARGS")));
        let two_files = &["import", "a.json", "b.json"][..];
        for other in [two_files, &["agent", "claude", "more"], &["-c", "my.json", "--prot", "1"], &["--port", "x"]] {
            assert_eq!(hint(other), None, "{other:?}");
        }
    }
}
