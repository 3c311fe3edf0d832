//! Saved states: everything the next step depends on besides seed and step number.
//!
//! A state is a folder `state/step-00000123` with `parameters.safetensors`, `averages.safetensors` (if the run averages),
//! `moments.safetensors` and `state.json`. It is written under another name, synced and renamed, so that a folder of this
//! name is complete; the last two are kept. A state of step 0 has no tensors: the initial ones are a function of the run's
//! settings and, if it started from another run, of the weights that its folder has from there.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_files::{Storage, remove_dir, replace_dir, write_synced};
use serde::{Deserialize, Serialize};

use super::stopping::Stopping;
use super::tensor_file::{self, Flat, Named, on_device};
use crate::error::TrainError;

/// Number of states that are kept.
const KEPT: usize = 2;

const FORMAT: &str = "radapter-state-v1";
const NAME: &str = "step-";
const PARAMETERS: &str = "parameters.safetensors";
const AVERAGES: &str = "averages.safetensors";
const MOMENTS: &str = "moments.safetensors";
const COUNTERS: &str = "state.json";

/// Moments and averages of the optimizer.
#[derive(Clone)]
pub(crate) struct Memory {
    /// Moving averages of the gradients.
    pub(crate) first: Named,
    /// Moving averages of their squares.
    pub(crate) second: Named,
    /// The averages W̃ of the parameters; empty without averaging.
    pub(crate) averages: Named,
    /// Steps done.
    pub(crate) time: u64,
}

impl Memory {
    /// Creates the memory before the first step: no moments yet, and averages that start at the parameters (no bias correction).
    pub(crate) fn start(averages: Named) -> Self {
        Self { first: Named::new(), second: Named::new(), averages, time: 0 }
    }
}

pub(crate) struct State {
    pub(crate) parameters: Named,
    pub(crate) memory: Memory,
    pub(crate) counters: Counters,
}

/// The part of a state besides tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counters {
    pub(crate) format: String,
    /// Steps done.
    pub(crate) step: u64,
    /// Whether the state has averages.
    pub(crate) averages: bool,
    pub(crate) stopping: Stopping,
    /// Seconds spent on steps and validations, over all sessions.
    pub(crate) seconds: f64,
    /// The part of `seconds` that was spent on steps.
    #[serde(default)]
    pub(crate) step_seconds: f64,
    /// Samples seen, over all sessions.
    pub(crate) samples: u64,
    /// Threads of the session that saved it: matrix products of the CPU backend may differ in the last bits with another number.
    pub(crate) threads: usize,
}

impl Counters {
    /// Creates the counters before the first step.
    pub(crate) fn start(averages: bool) -> Self {
        Self {
            format: FORMAT.to_owned(),
            step: 0,
            averages,
            stopping: Stopping::default(),
            seconds: 0.0,
            step_seconds: 0.0,
            samples: 0,
            threads: threads(),
        }
    }
}

impl State {
    /// Creates the state before the first step, whose tensors need not be saved.
    pub(crate) fn start(counters: Counters) -> Self {
        Self { parameters: Named::new(), memory: Memory::start(Named::new()), counters }
    }
}

/// Returns the number of threads in the pool of burn's CPU backend.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

fn folder(states: &Path, step: u64) -> PathBuf {
    states.join(format!("{NAME}{step:08}"))
}

/// Returns the steps of the states in a run's `state` folder, oldest first.
///
/// # Errors
/// [`TrainError::Io`] if the folder cannot be listed.
pub fn saved_steps(states: &Path) -> Result<Vec<u64>, TrainError> {
    let fail = || TrainError::io("list", states);
    let mut steps = Vec::new();
    for entry in fs::read_dir(states).map_err(fail())? {
        let name = entry.map_err(fail())?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(NAME));
        if let Some(step) = digits.and_then(|digits| digits.parse().ok()) {
            steps.push(step);
        }
    }
    steps.sort_unstable();
    Ok(steps)
}

/// Saves a state and removes those before the last two.
pub(crate) fn save(storage: &dyn Storage, states: &Path, state: &State) -> Result<(), TrainError> {
    // A resume from an older state finds a state of this step.
    replace_dir(storage, &folder(states, state.counters.step), |path| fill(storage, path, state))?;
    let steps = saved_steps(states)?;
    for &step in &steps[..steps.len().saturating_sub(KEPT)] {
        remove_dir(&folder(states, step))?;
    }
    Ok(())
}

fn fill(storage: &dyn Storage, path: &Path, state: &State) -> Result<(), TrainError> {
    let none = Default::default();
    let counters = serde_json::to_vec_pretty(&state.counters)
        .map_err(|e| TrainError::io("write", path.join(COUNTERS))(e.into()))?;
    write_synced(storage, &path.join(COUNTERS), |writer| writer.write_all(&counters))?;
    if state.counters.step == 0 {
        return Ok(());
    }
    let named = |named: &Named, name: &str| {
        write_synced(storage, &path.join(name), |writer| {
            tensor_file::write(writer, named.iter().map(|(key, flat)| (key.clone(), flat)), &none)
        })
    };
    named(&state.parameters, PARAMETERS)?;
    if state.counters.averages {
        named(&state.memory.averages, AVERAGES)?;
    }
    let first = state.memory.first.iter().map(|(key, flat)| (format!("first.{key}"), flat));
    let second = state.memory.second.iter().map(|(key, flat)| (format!("second.{key}"), flat));
    write_synced(storage, &path.join(MOMENTS), |writer| tensor_file::write(writer, first.chain(second), &none))?;
    Ok(())
}

/// Removes the leftovers of a killed save, and states beyond `step`, which a run resumed from there will write again.
pub(crate) fn clean(states: &Path, step: u64) -> Result<(), TrainError> {
    for entry in fs::read_dir(states).map_err(TrainError::io("list", states))? {
        let entry = entry.map_err(TrainError::io("list", states))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(NAME)) else {
            continue;
        };
        let path = entry.path();
        if name.ends_with(".tmp") {
            fs::remove_dir_all(&path).map_err(TrainError::io("remove", &path))?;
        } else if name.parse::<u64>().is_ok_and(|found| found > step) {
            remove_dir(&path)?;
        }
    }
    Ok(())
}

/// Returns the step of the newest state, or `from` if a state of it exists.
///
/// # Errors
/// [`TrainError::State`] if no such state exists.
pub(crate) fn chosen(states: &Path, from: Option<u64>) -> Result<u64, TrainError> {
    let steps = saved_steps(states).unwrap_or_default();
    let reason = match (from, steps.last()) {
        (Some(step), _) if steps.contains(&step) => return Ok(step),
        (None, Some(&step)) => return Ok(step),
        (Some(step), _) => {
            let there: Vec<String> = steps.iter().map(u64::to_string).collect();
            format!("there is no state of step {step}; expected one of {}", there.join(", "))
        }
        (None, None) => "no state was saved".to_owned(),
    };
    Err(TrainError::State { path: states.to_owned(), reason, older: None })
}

/// Loads the state of a step.
///
/// `expected` are the trained parameters before the first step: a state with other names or shapes is refused.
///
/// # Errors
/// [`TrainError::State`] with the folder, its problem, and the step of an older state, if one exists.
pub(crate) fn load(states: &Path, step: u64, expected: &Named, device: &Device) -> Result<State, TrainError> {
    let steps = saved_steps(states).unwrap_or_default();
    let path = folder(states, step);
    tracing::debug!("reading the state {}", path.display());
    read(&path, step, expected, device).map_err(|error| TrainError::State {
        reason: error.to_string(),
        older: steps.iter().rev().copied().find(|&found| found < step),
        path,
    })
}

fn read(path: &Path, step: u64, expected: &Named, device: &Device) -> Result<State, TrainError> {
    let counters = counters(path, step)?;
    if step == 0 {
        let averages = if counters.averages { expected.clone() } else { Named::new() };
        return Ok(State { parameters: expected.clone(), memory: Memory::start(averages), counters });
    }
    let tensors = Tensors::read(path, &counters, expected)?;
    let [parameters, averages, first, second] =
        [tensors.parameters, tensors.averages, tensors.first, tensors.second].map(|named| on_device(named, device));
    Ok(State { parameters, memory: Memory { first, second, averages, time: step }, counters })
}

fn unreadable(path: &Path, name: &str, reason: String) -> TrainError {
    TrainError::Unreadable { path: path.join(name), reason }
}

fn counters(path: &Path, step: u64) -> Result<Counters, TrainError> {
    let wrong = |reason: String| unreadable(path, COUNTERS, reason);
    let file = path.join(COUNTERS);
    let text = fs::read(&file).map_err(TrainError::io("read", &file))?;
    let counters: Counters = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    if counters.format != FORMAT {
        return Err(wrong(format!("format is `{}`, expected `{FORMAT}`", counters.format)));
    }
    if counters.step != step {
        return Err(wrong(format!("the file is of step {}, its folder of step {step}", counters.step)));
    }
    Ok(counters)
}

/// Tensors of a state, on the host.
struct Tensors {
    parameters: Named<Vec<f32>>,
    averages: Named<Vec<f32>>,
    first: Named<Vec<f32>>,
    second: Named<Vec<f32>>,
}

impl Tensors {
    /// Reads the files of a state after step 0. All tensors have the names and shapes of `expected`.
    fn read<V>(path: &Path, counters: &Counters, expected: &Named<V>) -> Result<Self, TrainError> {
        let named = |name: &str, found: Named<Vec<f32>>| match mismatch(expected, &found) {
            Some(reason) => Err(unreadable(path, name, reason)),
            None => Ok(found),
        };
        let parameters = named(PARAMETERS, tensor_file::read(&path.join(PARAMETERS))?)?;
        let averages = match counters.averages {
            true => named(AVERAGES, tensor_file::read(&path.join(AVERAGES))?)?,
            false => Named::new(),
        };
        let (mut first, mut second) = (Named::new(), Named::new());
        for (key, flat) in tensor_file::read(&path.join(MOMENTS))? {
            if let Some(key) = key.strip_prefix("first.") {
                first.insert(key.to_owned(), flat);
            } else if let Some(key) = key.strip_prefix("second.") {
                second.insert(key.to_owned(), flat);
            } else {
                let reason = format!("tensor `{key}` is neither a first nor a second moment");
                return Err(unreadable(path, MOMENTS, reason));
            }
        }
        Ok(Self { parameters, averages, first: named(MOMENTS, first)?, second: named(MOMENTS, second)? })
    }
}

/// Checks that the files of a state are complete and fit each other, without the model that they belong to.
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Unreadable`] for the first file that is not.
pub fn check_state(states: &Path, step: u64) -> Result<(), TrainError> {
    let path = folder(states, step);
    let counters = counters(&path, step)?;
    if step == 0 {
        return Ok(());
    }
    let parameters = tensor_file::read(&path.join(PARAMETERS))?;
    Tensors::read(&path, &counters, &parameters).map(drop)
}

/// Describes the first difference in names and shapes.
pub(crate) fn mismatch<A, B>(expected: &Named<A>, found: &Named<B>) -> Option<String> {
    for (key, Flat { shape, .. }) in expected {
        match found.get(key) {
            None => return Some(format!("tensor `{key}` is missing")),
            Some(found) if found.shape != *shape => {
                let found = &found.shape;
                return Some(format!("tensor `{key}` has shape {found:?}, expected {shape:?}"));
            }
            Some(_) => {}
        }
    }
    let extra = found.keys().find(|key| !expected.contains_key(*key))?;
    Some(format!("tensor `{extra}` is not among the trained parameters"))
}

#[cfg(test)]
mod tests;
