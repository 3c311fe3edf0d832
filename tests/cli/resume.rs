//! Runs that were killed, interrupted, damaged or contradicted.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::{Folder, radapter, training};

/// A run long enough to be stopped midway, which saves often.
const LONG: &str =
    "--set epochs=12 --set batch_size=4 --set lr=0.005 --set adapter.rank=2 --set save_every=3 --set workers=2";

/// Number of training steps in a run's metrics.
pub(super) fn steps(run: &Path) -> usize {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.contains("\"train\"")).count()
}

/// Waits until a run has done this many steps.
pub(super) fn wait_for(run: &Path, wanted: usize, child: &mut Child) {
    let begun = Instant::now();
    while steps(run) < wanted {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} of {wanted} steps", steps(run));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the run ended with {status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn resume(run: &Path) -> crate::support::Invocation {
    radapter("train --resume").with("--out", run)
}

/// The bytes of a run's adapter files.
fn results(run: &Path) -> Vec<Vec<u8>> {
    let read = |name: &str| std::fs::read(run.join(name)).unwrap();
    ["adapters.safetensors", "adapters-ema.safetensors"].map(read).to_vec()
}

#[test]
fn a_killed_run_ends_with_the_same_bits() {
    let folder = Folder::new();
    let whole = folder.join("whole");
    training(&folder, "whole", LONG).succeed();
    let total = steps(&whole);
    assert_eq!(total, 72, "27 images in batches of 4, 12 epochs");
    // Between two saves, just after one, and late. The exact step is random, the result is not.
    for (number, wanted) in [2, 7, 20, 50].into_iter().enumerate() {
        let name = format!("killed-{number}");
        let run = folder.join(&name);
        let mut child = training(&folder, &name, LONG).spawn();
        wait_for(&run, wanted, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        // Killed again while it resumes.
        let mut child = resume(&run).spawn();
        wait_for(&run, wanted + 6, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        resume(&run).succeed();
        assert_eq!(steps(&run), total, "each step is recorded once");
        assert!(results(&run) == results(&whole), "killed after step {wanted}");
    }
}

#[test]
fn each_kind_of_method_goes_on_after_it_was_killed() {
    let folder = Folder::new();
    for (method, more) in [
        ("full", ""),
        ("linear-probe", ""),
        ("lp-ft", ""),
        ("flyp", ""),
        ("clipood", ""),
        ("lipsum-ft", ""),
        ("mask-fill", ""),
        ("carot", ""),
        ("lora", "--set lora.dropout=0.1"),
        ("adaptformer", ""),
        ("repadapter", ""),
        ("coop", "--set coop.tokens=2"),
        ("maple", ""),
    ] {
        let words = format!("--method {method} --epochs 4 --batch-size 4 --lr 0.001 --set save_every=3 {more}");
        let (whole, killed) = (folder.join(&format!("{method}-whole")), folder.join(&format!("{method}-killed")));
        training(&folder, &format!("{method}-whole"), &words).succeed();
        let mut child = training(&folder, &format!("{method}-killed"), &words).spawn();
        wait_for(&killed, 8, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        resume(&killed).succeed();
        let files = |run: &Path| -> Vec<(String, Vec<u8>)> {
            let names = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.filter(|name| name.ends_with(".safetensors")).collect();
            names.sort();
            names.into_iter().map(|name| (name.clone(), std::fs::read(run.join(name)).unwrap())).collect()
        };
        assert!(!files(&whole).is_empty() && files(&whole) == files(&killed), "{method}");
        assert_eq!(steps(&killed), steps(&whole), "{method}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_or_sigterm_saves_and_exits_with_130() {
    let folder = Folder::new();
    training(&folder, "whole", LONG).succeed();
    for signal in ["-INT", "-TERM"] {
        let run = folder.join(signal);
        let mut child = training(&folder, signal, LONG).spawn();
        wait_for(&run, 8, &mut child);
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(run.join("report.html").is_file());
        assert!(!run.join("report.json").exists(), "it is not finished");
        let json = radapter("inspect --json").args([&run]).succeed().json();
        assert_eq!(json["finished"], false);
        resume(&run).succeed();
        assert!(results(&run) == results(&folder.join("whole")));
    }
}

/// 20,000 samples of the tiny model need 600 MB or more in one batch.
#[cfg(target_os = "linux")]
#[test]
fn a_batch_beyond_a_limit_of_the_address_space_is_refused_before_the_first_step() {
    let folder = Folder::new();
    training(&folder, "small", "--set epochs=1 --set batch_size=8").succeed();
    let row = |number: usize| format!("images/dog/{:02}.png,{}\n", number % 10, ["dog", "cat"][number % 2]);
    let rows = format!("path,label\n{}", (0..20_000).map(row).collect::<String>());
    let table = folder.file("many.csv", rows);
    let limited = "ulimit -v 500000; exec \"$0\" train classification --set batch_size=20000 --set steps=1 --set \
                   val_fraction=0 --model \"$1\" --train \"$2\" --out \"$3\"";
    let output = std::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_radapter-under-test")])
        .args([folder.join("model"), table, folder.join("run")])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("samples at once needs at least") && error.contains("micro_batch"), "{error}");
    assert!(!folder.join("run").exists());
}

#[test]
fn a_finished_run_stays_as_it_is() {
    let folder = Folder::new();
    let run = folder.join("run");
    training(&folder, "run", "--set epochs=1 --set batch_size=8").succeed();
    let before = results(&run);
    let done = resume(&run).succeed();
    assert!(done.stderr.contains("already finished") && done.stdout.contains("tuned parameters"), "{}", done.stderr);
    assert!(results(&run) == before);
}

#[test]
fn a_run_directory_is_not_trained_into_again() {
    let folder = Folder::new();
    training(&folder, "run", "--set epochs=1 --set batch_size=8").succeed();
    let before = results(&folder.join("run"));
    training(&folder, "run", "--set epochs=1").fail(1, &["already holds a run", "--resume"]);
    assert!(results(&folder.join("run")) == before);
    folder.file("full/notes.txt", "mine");
    training(&folder, "full", "--set epochs=1").fail(1, &["full"]);
    assert_eq!(folder.names("full"), ["notes.txt"]);
}

#[test]
fn arguments_that_contradict_the_run_are_refused() {
    let folder = Folder::new();
    let run = folder.join("run");
    training(&folder, "run", "--set epochs=1 --set batch_size=8").succeed();
    resume(&run).with("--set", "lr=0.5").fail(1, &["lr", "0.5"]);
    resume(&run).with("--set", "adapter.rank=2").fail(1, &["adapter.rank"]);
    resume(&run).with("--set", "nonsense=2").fail(2, &["nonsense"]);
    resume(&run).with("--set", "epochs=1").succeed();
    let again = |out: &Path| radapter("train classification --resume").with("--out", out);
    again(&run).with("--train", folder.join("images")).with("--model", folder.join("model")).succeed();
    again(&run).with("--train", folder.join("model")).fail(1, &["train"]);
    resume(&folder.join("absent")).fail(1, &["absent"]);
}

#[test]
fn other_data_than_the_runs_are_refused() {
    let folder = Folder::new();
    let run = folder.join("run");
    let mut child = training(&folder, "run", LONG).spawn();
    wait_for(&run, 4, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(folder.join("images/dog/00.png")).unwrap();
    resume(&run).fail(1, &["training set"]);
}

#[test]
fn a_damaged_state_offers_the_older_one() {
    let folder = Folder::new();
    let run = folder.join("run");
    training(&folder, "whole", LONG).succeed();
    let mut child = training(&folder, "run", LONG).spawn();
    wait_for(&run, 14, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut states: Vec<_> = folder.names("run/state").into_iter().filter(|name| !name.ends_with(".tmp")).collect();
    states.sort();
    let (newest, older) = (states.pop().unwrap(), states.pop().unwrap());
    for entry in std::fs::read_dir(run.join("state").join(&newest)).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let step: u64 = older.trim_start_matches("step-").parse().unwrap();
    resume(&run).fail(1, &[&newest, &format!("--from-step {step}")]);
    resume(&run).with("--from-step", step.to_string()).succeed();
    assert!(results(&run) == results(&folder.join("whole")));

    std::fs::remove_dir_all(run.join("state")).unwrap();
    std::fs::remove_file(run.join("report.json")).unwrap();
    resume(&run).fail(1, &["state"]);
}
