//! A run of the command: trained, interrupted, resumed, merged.

use std::path::Path;
use std::process::{Command, Stdio};

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::devices::backends;
use crate::tiny::tiny_model;

const STEPS: usize = 100;

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radapter-under-test"));
    command.args(words).env("RAYON_NUM_THREADS", "2");
    command
}

fn radapter(words: &[&str]) -> Value {
    let output = command(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "radapter {}: {error}", words.join(" "));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

fn images(folder: &Path) {
    for (class, colour) in [[200, 40, 40], [40, 200, 40], [40, 40, 200]].iter().enumerate() {
        let folder = folder.join(["red", "green", "blue"][class]);
        std::fs::create_dir_all(&folder).unwrap();
        for index in 0..6_u8 {
            let shade = |value: u8, x: u32| value.saturating_add((x as u8 * 3) % 23).saturating_add(2 * index);
            let image = RgbImage::from_fn(24, 24, |x, _| Rgb(colour.map(|value| shade(value, x))));
            image.save(folder.join(format!("{index}.png"))).unwrap();
        }
    }
}

fn losses(run: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    // The last line may be incomplete while the run continues.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "train").map(|line| line["loss"].as_f64().unwrap()).collect()
}

#[test]
fn a_run_is_trained_resumed_and_merged_on_every_device() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    tiny_model(&folder.path().join("model"));
    images(&folder.path().join("images"));
    let (base, data) = (at("model"), at("images"));
    let mut expected = Vec::new();
    for backend in backends() {
        let settings = [format!("steps={STEPS}"), "batch_size=6".into(), "lr=0.01".into(), "val_fraction=0".into()];
        let train = |out: &str| {
            let mut words = ["train", "classification", "--device", backend.name].map(str::to_owned).to_vec();
            words.extend(["--model", &base, "--train", &data, "--out", out].map(str::to_owned));
            words.extend(settings.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]));
            words
        };
        let words = |words: &[String]| command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let close = |found: &[f64], expected: &[f64], limit: f64| {
            assert_eq!(found.len(), expected.len(), "{}", backend.name);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= limit * expected.abs(), "{}: {found}, {expected}", backend.name);
            }
        };
        // The others are compared with the CPU, which comes first because a process on a GPU starts by compiling its kernels.
        if expected.is_empty() {
            let run = at("whole");
            assert!(words(&train(&run)).output().unwrap().status.success(), "{}", backend.name);
            expected = losses(Path::new(&run));
            assert_eq!(expected.len(), STEPS);
        }

        // Stopped somewhere midway, and resumed.
        let stopped = at(&format!("{}-stopped", backend.name));
        let mut child = words(&train(&stopped)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while losses(Path::new(&stopped)).is_empty() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        if child.try_wait().unwrap().is_none() {
            let _ = Command::new("kill").arg(child.id().to_string()).status().unwrap();
            child.wait().unwrap();
        }
        let done = losses(Path::new(&stopped)).len();
        assert!((1..STEPS).contains(&done), "{}: stopped after step {done}", backend.name);
        radapter(&["train", "--resume", "--device", backend.name, "--out", &stopped]);
        // Kernels chosen by timing may differ between processes; the CPU's never do.
        close(&losses(Path::new(&stopped)), &expected, backend.losses);

        let merged = at(&format!("{}-merged", backend.name));
        radapter(&["merge", "--device", backend.name, "--run", &stopped, "--out", &merged]);
        assert_eq!(radapter(&["inspect", "--json", &merged])["format"], "open-clip");
    }
}
