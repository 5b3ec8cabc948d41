//! Which lines are logged: by `RUST_LOG`, a list of directives, or else by `LOG_LEVEL`.
//!
//! 1. A level that is none is an error. An unreadable part of `RUST_LOG` is left out. A warning names the part's place and does not
//!    show the text.
//! 2. An empty variable counts as not set.
//! 3. A `RUST_LOG` without any line of this program is worth a warning.

use log::LevelFilter;

/// The targets of this program's own lines: modules, and requests.
const OWN_TARGETS: [&str; 2] = ["api_together", "request"];

const LEVELS: &str = "error, warn, info, debug, trace or off";

/// A filter in the form of env_logger, without mistakes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogFilter {
    pub(crate) directives: String,
    /// What was wrong, a text for each problem.
    pub(crate) warnings: Vec<String>,
}

impl LogFilter {
    /// Returns the filter, or what is wrong with `LOG_LEVEL`.
    pub(crate) fn from_environment() -> Result<LogFilter, String> {
        let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        LogFilter::of(variable("RUST_LOG").as_deref(), variable("LOG_LEVEL").as_deref())
    }

    fn of(rust_log: Option<&str>, log_level: Option<&str>) -> Result<LogFilter, String> {
        let mut warnings = Vec::new();
        let rust_log = rust_log.map(str::trim).filter(|value| !value.is_empty());
        if let Some(directives) = rust_log.and_then(|typed| sound_directives(typed, &mut warnings)) {
            return Ok(LogFilter { directives, warnings });
        }
        let typed = log_level.map(str::trim).filter(|value| !value.is_empty()).unwrap_or("info");
        let level: LevelFilter = typed.parse().map_err(|_| format!("LOG_LEVEL must be {LEVELS}"))?;
        // The libraries' lines are of use to the libraries' developers only. What actix_http calls an error is a client's broken
        // request, and any stranger can send thousands.
        let [program, request] = OWN_TARGETS;
        let directives = format!("warn,actix_http=off,{program}={level},{request}={level}");
        Ok(LogFilter { directives, warnings })
    }
}

/// Returns the sound directives, or `None` if there are none.
fn sound_directives(typed: &str, warnings: &mut Vec<String>) -> Option<String> {
    let (list, text) = typed.split_once('/').map_or((typed, None), |(list, text)| (list, Some(text)));
    let all: Vec<&str> = list.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let mut sound = Vec::new();
    for (i, directive) in all.iter().enumerate() {
        if is_sound(directive) {
            sound.push(*directive);
        } else {
            let place = format!("RUST_LOG: part {} of {}", i + 1, all.len());
            warnings.push(format!("{place} must be TARGET=LEVEL or LEVEL ({LEVELS}); it is left out"));
        }
    }
    if sound.is_empty() {
        return None;
    }
    if !sound.iter().any(|directive| is_of_this_program(directive)) {
        let targets = OWN_TARGETS.join(", ");
        warnings.push(format!(
            "RUST_LOG leaves nothing of this program in the log: it names no level and none of {targets}"
        ));
    }
    let mut directives = sound.join(",");
    match text {
        Some(text) if text.contains('/') => {
            warnings.push("RUST_LOG: only one / may stand in it; what is behind the first is left out".to_owned());
        }
        Some(text) => directives.extend(["/", text]),
        None => {}
    }
    Some(directives)
}

fn is_sound(directive: &str) -> bool {
    match directive.split_once('=') {
        None => true,
        Some((target, level)) => {
            !target.is_empty() && (level.is_empty() || level.trim().parse::<LevelFilter>().is_ok())
        }
    }
}

/// Returns whether the directive decides on lines of this program. Targets are matched by prefix.
fn is_of_this_program(directive: &str) -> bool {
    let target = directive.split('=').next().unwrap_or_default();
    let is_level = !directive.contains('=') && directive.parse::<LevelFilter>().is_ok();
    is_level || OWN_TARGETS.iter().any(|own| own.starts_with(target) || target.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out_and_named_by_its_place() {
        let usual = |level: &str| format!("warn,actix_http=off,api_together={level},request={level}");
        let part = "RUST_LOG: part 2 of 3 must be TARGET=LEVEL";
        let silent = "RUST_LOG leaves nothing of this program";
        for (rust_log, log_level, directives, warning) in [
            (None, None, usual("INFO"), None),
            (Some(" "), Some("Debug "), usual("DEBUG"), None),
            (Some("warn,request=info"), Some("sk-secret"), "warn,request=info".to_owned(), None),
            (Some("warn,x=sk-secret, request=info/chat"), None, "warn,request=info/chat".to_owned(), Some(part)),
            (Some("warn,a=b=sk-secret,sled"), None, "warn,sled".to_owned(), Some(part)),
            (Some("x=secret"), None, usual("INFO"), Some("RUST_LOG: part 1 of 1 must")),
            (Some("verbose"), None, "verbose".to_owned(), Some(silent)),
            (Some("sled=debug"), None, "sled=debug".to_owned(), Some(silent)),
            (Some("off"), None, "off".to_owned(), None),
            (Some("api_together::cli=debug"), None, "api_together::cli=debug".to_owned(), None),
            (Some("warn/a/secret"), None, "warn".to_owned(), Some("RUST_LOG: only one /")),
        ] {
            let filter = LogFilter::of(rust_log, log_level).expect("a filter");
            assert_eq!(filter.directives, directives, "{rust_log:?} {log_level:?}");
            assert_eq!(filter.warnings.len(), usize::from(warning.is_some()), "{:?}", filter.warnings);
            for told in &filter.warnings {
                assert!(told.starts_with(warning.unwrap_or_default()) && !told.contains("secret"), "{told}");
            }
        }
        for rust_log in [None, Some(""), Some("x=secret")] {
            let error = LogFilter::of(rust_log, Some("sk-secret")).expect_err("no level");
            assert_eq!(error, "LOG_LEVEL must be error, warn, info, debug, trace or off");
        }
    }
}
