//! docs/api-examples.md: each command works as it is, and reaches an account by its method and path, with its body.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::helpers::{App, KEY, Received, Upstream, config_of, scratch};
use crate::objects::{any_answer, rows};

/// The commands of the page, in order: behind the block that sets the variables.
fn commands() -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api-examples.md")).expect("the page");
    let blocks = page.split("```sh\n").skip(2).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(|block| block.trim().split("\n\n").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The texts of a command between two marks.
fn between<'a>(command: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    command.split(begin).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

/// Runs all commands, one behind the other, where the files are that the commands name. The first that fails is the last.
fn run(commands: &[String], app: &App) {
    let folder = scratch();
    let fields = commands.iter().flat_map(|command| between(command, "-F '", "'"));
    for file in fields.filter_map(|field| field.split_once("=@")).map(|(_, file)| file) {
        fs::write(folder.join(file), format!("content of {file}")).expect("writes");
    }
    let begin =
        r#"curl() { command curl -sS --fail-with-body -o answer "$@" || { cat answer; echo "curl $*"; exit 1; }; }"#;
    let mut bash = Command::new("timeout");
    bash.args(["120", "bash", "-uc", &format!("{begin}\n{}", commands.join("\n"))]);
    bash.current_dir(&folder)
        .stdin(Stdio::null())
        .env("POOL", format!("http://127.0.0.1:{}", app.port))
        .env("KEY", KEY);
    let output = bash.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// Checks what came of a command. Returns the row: method, path and dialect.
fn row_of(command: &str, came: &Received, rows: &[(String, String, String)]) -> usize {
    let url = between(command, "\"$POOL", "\"")[0];
    let (json, form) = (between(command, "-d '", "'"), between(command, "-F '", "'"));
    let typed = between(command, "-X ", " ").first().copied();
    let method = typed.unwrap_or(if json.is_empty() && form.is_empty() { "GET" } else { "POST" });
    assert_eq!((came.method.as_str(), came.path.as_str()), (method, url), "{command}");
    let body = String::from_utf8_lossy(&came.body);
    if form.is_empty() {
        assert_eq!(body, json.first().copied().unwrap_or_default(), "{command}");
    }
    for (name, value) in form.iter().filter_map(|field| field.split_once('=')) {
        let value = value.strip_prefix('@').map_or(value.to_owned(), |file| format!("content of {file}"));
        let part = body.split_once(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("no {name}: {command}")).1;
        let content = part.split_once("\r\n\r\n").expect("a part").1;
        assert!(content.starts_with(&format!("{value}\r\n")), "{name}: {content}\n{command}");
    }
    let dialect = match ["x-api-key", "x-goog-api-key"].map(|name| came.header(name).is_some()) {
        [true, _] => "Anthropic",
        [_, true] => "Gemini",
        _ => "OpenAI",
    };
    let asked: Vec<&str> = url.split('?').next().expect("a path").split('/').collect();
    // A fixed part stands before an id at the same place.
    let fits = |row: &str| {
        let parts: Vec<&str> = row.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| match part.split_once('}') {
                Some((_, verb)) => asked.ends_with(verb),
                None => part == asked,
            })
    };
    let found = rows.iter().position(|(verb, path, named)| verb == method && named == dialect && fits(path));
    found.unwrap_or_else(|| panic!("no row of docs/api.md: {command}"))
}

#[test]
fn each_row_of_the_table_has_an_example_that_reaches_an_account_as_typed() {
    let upstream = Upstream::always(any_answer());
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    config["apis"][0]["geminiBaseUrl"] = json!(upstream.url());
    let (commands, rows) = (commands(), rows());
    let named = |command: &String| {
        [("\"model\": \"", "\""), ("-F 'model=", "'"), ("/v1beta/models/", ":")]
            .map(|(begin, end)| between(command, begin, end).concat())
    };
    config["apis"][0]["models"] = commands.iter().flat_map(named).filter(|model| !model.is_empty()).collect();
    let app = App::start(&config);
    run(&commands, &app);
    let received = upstream.received();
    assert_eq!(received.len(), commands.len(), "each reaches an account once");
    let shown: BTreeSet<usize> =
        commands.iter().zip(&received).map(|(command, came)| row_of(command, came, &rows)).collect();
    let missing: Vec<_> = (0..rows.len()).filter(|nth| !shown.contains(nth)).map(|nth| &rows[nth]).collect();
    assert!(missing.is_empty() && rows.len() > 300, "without an example: {missing:#?}");
}
