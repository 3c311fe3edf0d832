//! Devices of another process: the CPU, served to the same machine. `cargo test --release -p radapter-tests --features remote remote`.

mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Folder, Invocation, classes_folder, embeddings, radapter, tiny_model, training};
use server::{Server, TOKEN};

const SETTINGS: &str = "--set steps=12 --set batch_size=6 --set lr=0.01 --set val_fraction=0 --set save_every=2";

/// Runs the invocation on a server's device, with the token.
fn on(device: &str, invocation: Invocation) -> Invocation {
    invocation.with("--device", device).env("RADAPTER_REMOTE_TOKEN", TOKEN)
}

fn losses(run: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    // The last line may be incomplete while the run continues.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "train").map(|line| line["loss"].as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        // The server runs burn's own operations instead of this project's kernels, so sums differ.
        assert!((found - expected).abs() <= 1e-4 * expected, "{found}, {expected}");
    }
}

#[test]
fn a_run_on_a_served_device_matches_a_local_one() {
    let folder = Folder::new();
    let server = Server::web_socket();
    training(&folder, "here", SETTINGS).with("--device", "cpu").succeed();
    on(&server.address, training(&folder, "there", SETTINGS)).succeed();
    assert_near(&losses(&folder.join("there")), &losses(&folder.join("here")));
    let model = folder.join("there");
    on(&server.address, radapter("merge").with("--run", &model).with("--out", folder.join("merged"))).succeed();
    assert!(folder.join("merged/open_clip_model.safetensors").is_file());
}

#[test]
fn embeddings_over_iroh_match_local_ones() {
    let folder = Folder::new();
    let server = Server::iroh(&folder.join("server.key"));
    tiny_model(&folder.join("model"));
    classes_folder(&folder.join("images"), &["one"], 3, false);
    let embed = |out: &str| {
        radapter("embed")
            .with("--model", folder.join("model"))
            .with("--images", folder.join("images"))
            .with("--out", folder.join(out))
    };
    embed("here.safetensors").with("--device", "cpu").succeed();
    on(&server.address, embed("there.safetensors")).succeed();
    let rows = |name: &str| embeddings(&folder.join(name), "image_embeddings").concat();
    let (here, there) = (rows("here.safetensors"), rows("there.safetensors"));
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(&there) {
        assert!((here - there).abs() <= 5e-6, "{here}, {there}");
    }
}

#[test]
fn a_wrong_token_is_refused() {
    let folder = Folder::new();
    let server = Server::web_socket();
    let with = |token: &str| {
        training(&folder, "run", SETTINGS).with("--device", &server.address).env("RADAPTER_REMOTE_TOKEN", token)
    };
    with("another").fail(1, &["the token is not the one", &server.address]);
    with(" ").fail(1, &["RADAPTER_REMOTE_TOKEN is empty"]);
    training(&folder, "run", SETTINGS)
        .with("--device", &server.address)
        .fail(1, &["RADAPTER_REMOTE_TOKEN", "RADAPTER_REMOTE_TOKEN_FILE"]);
    assert!(!folder.join("run").exists());
}

#[test]
fn a_token_may_be_in_a_file() {
    let folder = Folder::new();
    let server = Server::web_socket();
    let token = folder.file("token", format!("{TOKEN}\n"));
    training(&folder, "run", SETTINGS)
        .with("--device", &server.address)
        .env("RADAPTER_REMOTE_TOKEN_FILE", &token)
        .succeed();
}

#[test]
fn a_missing_server_or_device_is_reported() {
    let folder = Folder::new();
    let server = Server::web_socket();
    on(&format!("{}/7", server.address), training(&folder, "run", SETTINGS)).fail(1, &["only 1 device", "/INDEX"]);
    let address = server.address.clone();
    drop(server);
    on(&address, training(&folder, "run", SETTINGS)).fail(1, &["cannot be reached", "serve-device", &address]);
    assert!(!folder.join("run").exists());
}

#[test]
fn a_server_needs_a_token() {
    radapter("serve-device --device cpu --port 0").fail(1, &["RADAPTER_REMOTE_TOKEN"]);
}

#[test]
fn a_lost_server_ends_the_run_and_the_saved_state_resumes() {
    let folder = Folder::new();
    let server = Server::web_socket();
    let settings = SETTINGS.replace("steps=12", "steps=100000");
    let run = folder.join("run");
    let mut child = on(&server.address, training(&folder, "run", &settings)).spawn_with_stderr(&folder.join("stderr"));
    let begun = Instant::now();
    while losses(&run).len() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "{}", std::fs::read_to_string(folder.join("stderr")).unwrap());
        assert!(begun.elapsed() < Duration::from_secs(120), "no steps");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(server);
    let lost = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if lost.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("the run hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = std::fs::read_to_string(folder.join("stderr")).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("--resume") && !said.contains("panicked"), "{said}");

    let done = losses(&run).len();
    assert!(done >= 5);
    let config = run.join("config.toml");
    let shorter = std::fs::read_to_string(&config).unwrap().replace("steps = 100000", &format!("steps = {}", done + 3));
    std::fs::write(&config, shorter).unwrap();
    radapter("train --resume --device cpu").with("--out", &run).succeed();
    assert_eq!(losses(&run).len(), done + 3);
}

#[test]
fn other_work_on_a_lost_server_fails_with_its_reason() {
    let folder = Folder::new();
    // Several seconds of work, of which the server lives for one.
    classes_folder(&folder.join("images"), &["one"], 2000, false);
    let server = Server::web_socket();
    let embed = radapter("embed")
        .with("--model", "embedded")
        .with("--images", folder.join("images"))
        .args(["--batch-size", "1"])
        .with("--out", folder.join("out.safetensors"));
    let mut child = on(&server.address, embed).spawn_with_stderr(&folder.join("stderr"));
    std::thread::sleep(Duration::from_secs(1));
    drop(server);
    let status = child.wait().unwrap();
    let said = std::fs::read_to_string(folder.join("stderr")).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("error: ") && !said.contains("panicked"), "{said}");
    assert!(!folder.join("out.safetensors").exists());
}
