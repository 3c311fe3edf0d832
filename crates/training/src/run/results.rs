//! Files of a run's trained parameters.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_clip::model::Adapter;
use radapter_files::{IoError, Storage, replace, replace_dir, write_synced};

use crate::error::TrainError;
use crate::model::TrainModel;
use crate::state::parameters::{self, HEAD};
use crate::state::tensor_file::{self, Flat, Named};
use crate::tuning::Tuning;

/// Returns the file name of the trained values, or of their averages.
pub(crate) fn file_name(stem: &str, averaged: bool) -> String {
    format!("{stem}{}.safetensors", if averaged { "-ema" } else { "" })
}

/// What writes a run's files, and what they record of the run.
pub(crate) struct Origin<'a, A: Adapter> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) tuning: &'a dyn Tuning<A>,
    pub(crate) base_hash: &'a str,
}

/// Writes the trained values and, if the run averages, their averages next to each other in the run's folder.
pub(crate) fn publish<A: Adapter>(
    dir: &Path,
    model: &TrainModel<A>,
    averages: Option<&Named>,
    origin: &Origin<'_, A>,
) -> Result<(), TrainError> {
    let mut write = |path: PathBuf, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        replace(origin.storage, &path, |writer| fill(writer))
    };
    write_values(dir, model, None, origin, &mut write)?;
    match averages {
        Some(averages) => write_values(dir, model, Some(averages), origin, &mut write),
        None => Ok(()),
    }
}

/// Writes the evaluated values to a folder of their own, which is replaced as a whole.
pub(crate) fn publish_best<A: Adapter>(
    dir: &Path,
    model: &TrainModel<A>,
    averages: Option<&Named>,
    origin: &Origin<'_, A>,
) -> Result<(), TrainError> {
    let mut write = |path: PathBuf, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        write_synced(origin.storage, &path, |writer| fill(writer))
    };
    // A kill that leaves no best is harmless: resuming from the state that was saved before writes it again.
    replace_dir(origin.storage, dir, |aside| write_values(aside, model, averages, origin, &mut write))
}

#[allow(clippy::type_complexity, reason = "an alias of the closure type would not be clearer")]
fn write_values<A: Adapter>(
    dir: &Path,
    model: &TrainModel<A>,
    averages: Option<&Named>,
    origin: &Origin<'_, A>,
    write: &mut dyn FnMut(PathBuf, &dyn Fn(&mut dyn Write) -> std::io::Result<()>) -> Result<(), IoError>,
) -> Result<(), TrainError> {
    let mut model = model.valid();
    if let Some(averages) = averages {
        model = parameters::load(model, averages);
    }
    let averaged = averages.is_some();
    if let Some(head) = &model.head {
        let named = head_tensor(head);
        write(dir.join(file_name(HEAD, averaged)), &|writer| {
            tensor_file::write(writer, named.iter().map(|(k, v)| (k.clone(), v)), &Default::default())
        })?;
    }
    let clip = model.clip;
    let Origin { tuning, base_hash, .. } = *origin;
    write(dir.join(file_name(tuning.stem(), averaged)), &|writer| tuning.write(&clip, base_hash, writer))?;
    Ok(())
}

fn head_tensor(head: &Param<Tensor<2>>) -> Named {
    let shape = head.dims().to_vec();
    let count = shape.iter().product::<usize>();
    let values = head.val().reshape([count]);
    Named::from([(HEAD.to_owned(), Flat { shape, values })])
}
