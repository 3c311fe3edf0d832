//! `--dashboard`, in a terminal and without one.

use crate::support::{Folder, training};

#[test]
fn without_a_terminal_it_is_refused_with_a_warning_and_the_run_continues() {
    let folder = Folder::new();
    let done = training(&folder, "run", "--dashboard --set epochs=1 --set batch_size=8").succeed();
    assert!(done.stderr.contains("warning: --dashboard needs a terminal"), "{}", done.stderr);
    assert!(folder.join("run/report.json").is_file());
    assert!(!done.stdout.contains('\x1b'), "{}", done.stdout);
}

#[cfg(unix)]
mod in_a_terminal {
    use super::*;
    use crate::cli::resume::wait_for;
    use crate::support::{CLASSES, Invocation, Terminal, classes_folder, radapter};

    /// A training of the embedded model on drawn images.
    fn embedded(folder: &Folder, out: &str) -> Invocation {
        let images = folder.join("images");
        if !images.is_dir() {
            classes_folder(&images, &CLASSES, 10, false);
        }
        let settings = "--set epochs=12 --set batch_size=4 --set save_every=3 --set adapter.rank=2 --set workers=1";
        radapter(&format!("train classification --model embedded {settings}"))
            .with("--train", images)
            .with("--out", folder.join(out))
    }

    /// A run on the dashboard, after its eighth step.
    fn begun(folder: &Folder) -> Terminal {
        let mut terminal = embedded(folder, "run").args(["--dashboard"]).in_terminal();
        wait_for(&folder.join("run"), 8, &mut terminal.child);
        for shown in ["Loss", "Learning rate", "Samples per second", "top1", "Saved states"] {
            terminal.wait_for(shown);
        }
        assert!(terminal.is_taken());
        terminal
    }

    /// Waits for the end of an interrupted run, and checks that it is saved and resumes to the same bits.
    fn check_interrupted(terminal: Terminal, folder: &Folder) {
        let (status, screen) = terminal.end();
        assert_eq!(status, Some(130), "{screen}");
        for said in ["interrupting: saving first", "which is saved; continue with"] {
            assert!(screen.contains(said), "{screen}");
        }
        assert!(!screen.contains("panicked"), "{screen}");
        let run = folder.join("run");
        assert!(!run.join("report.json").exists(), "it is not finished");

        radapter("train --resume").with("--out", &run).succeed();
        embedded(folder, "whole").succeed();
        let adapters = |run: &str| std::fs::read(folder.join(run).join("adapters-ema.safetensors")).unwrap();
        assert!(adapters("run") == adapters("whole"));
    }

    #[test]
    fn ctrl_c_saves_the_run_and_restores_the_terminal() {
        let folder = Folder::new();
        let mut terminal = begun(&folder);
        // The key, not the signal: the terminal must turn it into one.
        terminal.press(b"\x03");
        check_interrupted(terminal, &folder);
    }

    #[test]
    fn killing_the_training_saves_it_too() {
        let folder = Folder::new();
        let mut terminal = begun(&folder);
        terminal.press(b"q");
        terminal.wait_for("Stop the training immediately");
        terminal.press(b"k");
        check_interrupted(terminal, &folder);
    }

    #[test]
    fn a_run_that_ends_leaves_the_screen_and_prints_its_results() {
        let folder = Folder::new();
        let run = training(&folder, "run", "--dashboard --set epochs=2 --set batch_size=8");
        let (status, screen) = run.in_terminal().end();
        assert_eq!(status, Some(0), "{screen}");
        assert!(screen.contains("tuned parameters") && screen.contains("best validation"), "{screen}");
    }
}
