//! What is made from the command line's declarations: completions, pages for man, help.

use std::process::Command;

use crate::explain::run_in;
use crate::helpers::scratch;

#[test]
fn completions_are_scripts_that_the_shells_take() {
    let folder = scratch();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, _) = run_in(&folder, &[], &["completions", shell]);
        assert!(code == Some(0) && script.contains("api-together") && script.contains("explain"), "{shell}: {script}");
        std::fs::write(folder.join(shell), script).expect("writes");
    }
    assert_eq!(run_in(&folder, &[], &["completions", "tcsh"]).0, Some(2));
    for shell in ["bash", "zsh", "fish"] {
        // Only bash is on every machine.
        if let Ok(status) = Command::new(shell).arg("-n").arg(folder.join(shell)).status() {
            assert!(status.success(), "{shell}");
        }
    }
    let complete = r#"
        . ./bash
        COMP_WORDS=(api-together agent cod); COMP_CWORD=2
        _api__together api-together cod agent
        echo "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash").args(["-c", complete]).current_dir(&folder).output().expect("bash is there");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told.trim(), "codex", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = scratch();
    let (code, told, _) = run_in(&folder, &[], &["man", "pages"]);
    assert!(code == Some(0) && told.contains("pages in pages"), "{told}");
    let main = std::fs::read_to_string(folder.join("pages/api-together.1")).expect("written");
    assert_eq!(run_in(&folder, &[], &["man"]).1, main);
    for name in ["agent", "check", "demo", "explain", "man", "run", "serve", "status"] {
        let page = std::fs::read_to_string(folder.join(format!("pages/api-together-{name}.1"))).expect("written");
        assert!(page.contains(".SH SYNOPSIS") && page.contains(name), "{page}");
    }
    for entry in std::fs::read_dir(folder.join("pages")).expect("reads").map_while(Result::ok) {
        if let Ok(output) = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(entry.path()).output() {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        let Ok(output) = Command::new("man").args(["--warnings", "-l"]).arg(entry.path()).output() else { continue };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
