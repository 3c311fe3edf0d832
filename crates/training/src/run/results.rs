//! The files of what a run has trained.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_files::{Disk, IoError, replace, replace_dir, write_synced};

use crate::error::TrainError;
use crate::model::{Origin, TrainModel, Tuned};
use crate::state::parameters::{self, HEAD};
use crate::state::tensor_file::{self, Flat, Named};

/// The name of the file of these values; evaluation uses the averages.
pub(crate) fn file_name(stem: &str, averaged: bool) -> String {
    format!("{stem}{}.safetensors", if averaged { "-ema" } else { "" })
}

/// Writes the trained values and, if the run averages, their averages, each beside the other in the run's folder.
pub(crate) fn publish<A: Tuned>(
    dir: &Path,
    model: &TrainModel<A>,
    averages: Option<&Named>,
    origin: &Origin,
) -> Result<(), TrainError> {
    let mut write = |path: PathBuf, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        replace(&Disk, &path, |writer| fill(writer))
    };
    write_values(dir, model, None, origin, &mut write)?;
    match averages {
        Some(averages) => write_values(dir, model, Some(averages), origin, &mut write),
        None => Ok(()),
    }
}

/// Writes the evaluated values in a folder of their own, which is replaced as a whole.
pub(crate) fn publish_best<A: Tuned>(
    dir: &Path,
    model: &TrainModel<A>,
    averages: Option<&Named>,
    origin: &Origin,
) -> Result<(), TrainError> {
    let mut write = |path: PathBuf, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        write_synced(&Disk, &path, |writer| fill(writer))
    };
    // A kill that leaves no best is harmless: resuming the state that was saved before writes it again.
    replace_dir(dir, |aside| write_values(aside, model, averages, origin, &mut write))
}

#[allow(clippy::type_complexity, reason = "a closure that takes a closure; a name would say no more")]
fn write_values<A: Tuned>(
    dir: &Path,
    model: &TrainModel<A>,
    averages: Option<&Named>,
    origin: &Origin,
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
    write(dir.join(file_name(A::STEM, averaged)), &|writer| A::write(&clip, origin, writer))?;
    Ok(())
}

fn head_tensor(head: &Param<Tensor<2>>) -> Named {
    let shape = head.dims().to_vec();
    let count = shape.iter().product::<usize>();
    let values = head.val().reshape([count]);
    Named::from([(HEAD.to_owned(), Flat { shape, values })])
}
