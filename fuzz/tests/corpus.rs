//! Runs every target over its corpus and over what once made it fail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use radapter_fuzz::{TARGETS, Target};

/// All corpora together stay small enough to be part of the repository.
const MOST_BYTES: u64 = 1 << 20;

fn folder(of: &str, target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of).join(target.name)
}

/// The files of a folder in the order of their names; none if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_takes_its_corpus_and_what_once_made_it_fail() {
    std::thread::scope(|scope| {
        for target in TARGETS {
            // Threads, because a failure names its thread.
            let run = || {
                for file in ["corpus", "regressions"].iter().flat_map(|of| files(&folder(of, target))) {
                    eprintln!("{}", file.display());
                    (target.run)(&fs::read(&file).unwrap());
                }
                for data in [&b""[..], b"\0", b"{", b"[", &[0xff; 64]] {
                    (target.run)(data);
                }
            };
            std::thread::Builder::new().name(target.name.to_owned()).spawn_scoped(scope, run).unwrap();
        }
    });
}

#[test]
fn every_target_has_a_corpus_and_all_are_small() {
    let mut bytes = 0;
    for target in TARGETS {
        let files = files(&folder("corpus", target));
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        bytes += files.iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

/// cargo-fuzz takes the binaries from the manifest, which nothing else compares with the table.
#[test]
fn every_target_is_a_binary_of_cargo_fuzz() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
    let names = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap());
    assert!(names.eq(TARGETS.iter().map(|target| target.name)));
}
