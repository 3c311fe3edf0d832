//! Settings, run directories, saved states, suites.

use std::sync::LazyLock;

use radapter_classification::suite::SuiteFile;
use radapter_settings::{Schema, Settings};
use radapter_training::config::TrainSettings;
use radapter_training::state::{check_state, saved_steps};
use radapter_training::{RunDir, read_metrics};

use crate::scratch;

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<TrainSettings>);

/// A file of settings: what it sets, written and read again, sets the same.
pub fn settings(data: &[u8]) {
    let Ok(settings) = Settings::from_file(&scratch::file("settings.toml", data)) else { return };
    let written = toml::to_string(settings.table()).unwrap();
    let again = Settings::from_toml(&written, "written").unwrap();
    // As text, because NaN is not equal to itself.
    assert_eq!(toml::to_string(again.table()).unwrap(), written);
    check(&settings);
}

/// `--set KEY=VALUE`, one on each line.
pub fn assignment(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut settings = Settings::default();
    for line in text.lines() {
        let _ = settings.assign(line);
    }
    check(&settings);
}

/// Lays settings over the defaults: they contradict nothing in the result.
fn check(settings: &Settings) {
    let Ok(overlaid) = SCHEMA.overlay(&[settings]) else { return };
    let resolved = overlaid.resolve(&radapter_settings::Facts { samples: 10, ..radapter_settings::Facts::default() });
    let _ = resolved.part::<TrainSettings>();
}

/// The record of a run.
pub fn run_record(data: &[u8]) {
    scratch::file("run/config.toml", data);
    let run = RunDir::open(scratch::path("run")).unwrap();
    let Ok(record) = run.record() else { return };
    let _ = record.train();
    let written = toml::to_string(&record).unwrap();
    scratch::file("run-again/config.toml", written.as_bytes());
    let again = RunDir::open(scratch::path("run-again")).unwrap().record().unwrap();
    assert_eq!(toml::to_string(&again).unwrap(), written);
}

/// A saved state: its counters, parameters (the averages are the same) and moments, with a line of three dashes between them.
pub fn run_state(data: &[u8]) {
    const LINE: &[u8] = b"\n---\n";
    let mut rest = data;
    for name in ["state.json", "parameters.safetensors", "moments.safetensors"] {
        let end = rest.windows(LINE.len()).position(|bytes| bytes == LINE);
        let part = &rest[..end.unwrap_or(rest.len())];
        scratch::file(&format!("state/step-00000001/{name}"), part);
        if name.starts_with("parameters") {
            scratch::file("state/step-00000001/averages.safetensors", part);
        }
        rest = end.map_or(&[][..], |end| &rest[end + LINE.len()..]);
    }
    let states = scratch::path("state");
    assert_eq!(saved_steps(&states).unwrap(), [1]);
    let _ = check_state(&states, 1);
}

/// A run's metrics.
pub fn metrics(data: &[u8]) {
    let Ok(lines) = read_metrics(&scratch::file("metrics.jsonl", data)) else { return };
    assert!(lines.len() <= data.len());
}

/// A suite of evaluation sets.
pub fn suite(data: &[u8]) {
    let Ok(suite) = SuiteFile::read(&scratch::file("suite.toml", data)) else { return };
    assert!(suite.sets().count() >= 2 && suite.sets().all(|set| !set.name.trim().is_empty()));
}
