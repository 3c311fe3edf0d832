//! `completions`: scripts for shells, and the command's answers to them.

use crate::support::{Folder, Invocation, radapter};

/// Calls the command as a shell's script does, with the words of the line, of which the last is completed.
fn asked(shell: &str, words: &[&str]) -> Vec<String> {
    let command: Invocation = radapter("").env("RADAPTER_COMPLETE", shell).env("_CLAP_IFS", "\n");
    let command = command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let done = command.args(["--", "radapter"]).args(words.iter().copied()).succeed();
    // zsh has a description after a colon, fish after a tab.
    done.stdout.lines().map(|line| line.split([':', '\t']).next().unwrap().to_owned()).collect()
}

#[test]
fn scripts_are_printed() {
    for (shell, part) in [
        ("bash", "complete -o nospace -o bashdefault -o default -o nosort -F _clap_complete_radapter radapter"),
        ("zsh", "#compdef radapter"),
        ("fish", "complete --keep-order --exclusive --command radapter"),
    ] {
        let script = radapter(&format!("completions {shell}")).succeed().stdout;
        assert!(script.contains(part) && script.contains("RADAPTER_COMPLETE="), "{script}");
    }
    radapter("completions tcsh").fail(2, &["tcsh", "bash, zsh, fish"]);
}

#[test]
fn keys_complete_after_set() {
    for shell in ["bash", "zsh", "fish"] {
        let found = asked(shell, &["train", "classification", "--set", "l"]);
        for key in ["lr=", "loss.kind=", "loss.margin=", "log.tensorboard="] {
            assert!(found.iter().any(|candidate| candidate == key), "{shell}: {key} in {found:?}");
        }
        assert!(found.iter().all(|candidate| candidate.starts_with('l')), "{shell}: {found:?}");
        assert_eq!(asked(shell, &["train", "classification", "--set", "loss.t"]), ["loss.temperature="]);
        assert_eq!(asked(shell, &["train", "--resume", "--set", "check"]), ["checkpointing="]);
        assert_eq!(asked(shell, &["settings", "loss.t"]), ["loss.temperature"]);
    }
}

#[test]
fn words_complete_after_a_key() {
    for shell in ["zsh", "fish"] {
        let words = asked(shell, &["train", "classification", "--set", "loss.kind=i"]);
        assert_eq!(words, ["loss.kind=info-nce"], "{shell}");
    }
    // bash splits the word at `=` and replaces the part after it.
    let words = asked("bash", &["train", "classification", "--set", "loss.kind", "=", "i"]);
    assert_eq!(words, ["info-nce"]);
    let words = asked("bash", &["train", "classification", "--set", "loss.kind", ""]);
    assert_eq!(words, ["mpm-nce", "info-nce", "cross-entropy", "class-texts"]);
    let words = asked("bash", &["train", "classification", "--method", "f"]);
    assert_eq!(words, ["flyp", "full"]);
    assert_eq!(asked("fish", &["settings", "--task", "ret"]), ["retrieval"]);
    assert_eq!(asked("zsh", &["settings", "--recipe", "paper-16"]), ["paper-16-shot"]);
    let words = asked("bash", &["train", "classification", "--set", "lr", "=", "1", "--set", "loss.t"]);
    assert_eq!(words, ["loss.temperature="]);
}

/// bash itself with its script, if bash is installed.
#[cfg(unix)]
#[test]
fn bash_completes_with_the_printed_script() {
    let bash = |script: &str, path: &str| {
        std::process::Command::new("bash").args(["-c", script]).env("PATH", path).env_remove("BASH_ENV").output()
    };
    let folder = Folder::new();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_radapter-under-test"), folder.join("radapter")).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let line = |words: &str, last: &str| {
        format!(
            "source <(radapter completions bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _clap_complete_radapter radapter '{last}' 2> /dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
    };
    for (words, last, expected) in [
        ("radapter train classification --set loss.ki", "loss.ki", "loss.kind="),
        ("radapter train classification --set loss.kind = i", "i", "info-nce"),
        ("radapter meth", "meth", "methods"),
    ] {
        let Ok(output) = bash(&line(words, last), &path) else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{words}");
    }
}
