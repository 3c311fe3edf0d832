//! Saving, loading, a full disk, killed saves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::Tensor;
use radapter_files::faults::FullAt;
use radapter_files::{Disk, IoError};

use super::*;

fn named(value: f32) -> Named {
    let flat = |shape: &[usize]| Flat {
        shape: shape.to_vec(),
        values: Tensor::full([shape.iter().product::<usize>()], value, &Device::flex()),
    };
    Named::from([("a.weight".to_owned(), flat(&[3, 4])), ("a.scale".to_owned(), flat(&[1]))])
}

fn state(step: u64) -> State {
    let value = step as f32;
    let memory =
        Memory { first: named(value + 0.1), second: named(value + 0.2), averages: named(value + 0.3), time: step };
    let counters = Counters { step, ..Counters::start(true) };
    State { parameters: named(value), memory, counters }
}

fn same(a: &Named, b: &Named) -> bool {
    a.keys().eq(b.keys()) && a.iter().all(|(key, flat)| flat.values.to_data() == b[key].values.to_data())
}

/// Loads the newest state, or that of step `from`.
fn loaded(states: &Path, from: Option<u64>, expected: &Named) -> Result<State, TrainError> {
    load(states, chosen(states, from)?, expected, &Device::flex())
}

#[test]
fn a_state_round_trips_and_the_last_two_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for step in [1, 2, 9, 10] {
        save(&Disk, dir.path(), &state(step)).unwrap();
    }
    assert_eq!(saved_steps(dir.path()).unwrap(), [9, 10]);
    for (from, step) in [(None, 10), (Some(9), 9)] {
        let loaded = loaded(dir.path(), from, &named(0.0)).unwrap();
        let expected = state(step);
        assert_eq!(loaded.counters, expected.counters);
        assert!(same(&loaded.parameters, &expected.parameters));
        assert!(same(&loaded.memory.first, &expected.memory.first));
        assert!(same(&loaded.memory.second, &expected.memory.second));
        assert!(same(&loaded.memory.averages, &expected.memory.averages));
    }
}

#[test]
fn a_disk_full_at_any_operation_leaves_the_older_states_intact() {
    for full in [FullAt::operation, FullAt::inside] {
        let dir = tempfile::tempdir().unwrap();
        save(&Disk, dir.path(), &state(1)).unwrap();
        save(&Disk, dir.path(), &state(2)).unwrap();
        let mut number = 0;
        while let Err(error) = save(&full(number), dir.path(), &state(3)) {
            let TrainError::Io(IoError { error: system, .. }) = &error else { panic!("{error}") };
            assert_eq!(system.kind(), std::io::ErrorKind::StorageFull);
            let loaded = loaded(dir.path(), None, &named(0.0)).unwrap();
            if loaded.counters.step == 2 {
                assert!(error.to_string().contains("step-00000003"), "{error}");
                assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "{number}: {error}");
            } else {
                // Renamed, so that it is complete; the sync of the folder failed.
                assert_eq!(saved_steps(dir.path()).unwrap(), [1, 2, 3], "{error}");
                clean(dir.path(), 2).unwrap();
            }
            number += 1;
        }
        assert!(number > 20, "{number}");
        assert_eq!(saved_steps(dir.path()).unwrap(), [2, 3]);
    }
}

#[test]
fn leftovers_of_a_killed_save_are_not_a_state_and_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    save(&Disk, dir.path(), &state(4)).unwrap();
    let killed = dir.path().join("step-00000005.tmp");
    fs::create_dir(&killed).unwrap();
    fill(&Disk, &killed, &state(5)).unwrap();
    assert_eq!(saved_steps(dir.path()).unwrap(), [4]);
    save(&Disk, dir.path(), &state(6)).unwrap();
    clean(dir.path(), 4).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "6 would be written again");
    assert_eq!(saved_steps(dir.path()).unwrap(), [4]);
}

#[test]
fn a_state_of_other_parameters_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    save(&Disk, dir.path(), &state(4)).unwrap();
    let refused = |expected: &Named| {
        let error = loaded(dir.path(), None, expected).err().unwrap();
        assert!(matches!(&error, TrainError::State { older: None, .. }), "{error}");
        error.to_string()
    };
    let mut other = named(0.0);
    let mut weight = other.remove("a.weight").unwrap();
    assert!(refused(&other).contains("`a.weight` is not among"));
    weight.shape = vec![4, 3];
    other.insert("a.weight".to_owned(), weight.clone());
    assert!(refused(&other).contains("shape [3, 4], expected [4, 3]"));
    other.insert("b.weight".to_owned(), weight);
    other.remove("a.weight");
    assert!(refused(&other).contains("`b.weight` is missing"));
}

#[test]
fn a_state_before_the_first_step_has_no_tensors() {
    let dir = tempfile::tempdir().unwrap();
    save(&Disk, dir.path(), &State::start(Counters::start(true))).unwrap();
    assert_eq!(fs::read_dir(folder(dir.path(), 0)).unwrap().count(), 1);
    let initial = named(5.0);
    let loaded = loaded(dir.path(), None, &initial).unwrap();
    assert!(same(&loaded.parameters, &initial) && same(&loaded.memory.averages, &initial));
    assert!(loaded.memory.first.is_empty());
}
