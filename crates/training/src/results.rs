use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_adapter::AdapterConfig;
use radapter_files::{IoError, Storage, replace, replace_dir, write_synced};

use crate::error::TrainError;
use crate::model::TrainModel;
use crate::parameters::{self, HEAD};
use crate::tensor_file::{self, Flat, Named};
use crate::tuning::Tuned;

/// Writes what a run has made.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    pub(crate) base_hash: String,
    pub(crate) adapter: AdapterConfig,
}

/// The name of the file of these values; averages are what evaluation uses.
pub(crate) fn file_name(stem: &str, averaged: bool) -> String {
    format!("{stem}{}.safetensors", if averaged { "-ema" } else { "" })
}

impl Results {
    /// The trained values and, if the run averages, their averages, each beside the other in the run's folder.
    pub(crate) fn publish<A: Tuned>(
        &self,
        storage: &dyn Storage,
        dir: &Path,
        model: &TrainModel<A>,
    ) -> Result<(), TrainError> {
        let averages = model.shared.lock().optimizer.averages().cloned();
        let mut write = |path: PathBuf, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
            replace(storage, &path, |writer| fill(writer))
        };
        self.write(dir, model, None, &mut write)?;
        match averages {
            Some(averages) => self.write(dir, model, Some(&averages), &mut write),
            None => Ok(()),
        }
    }

    /// The evaluated values in a folder of their own, which is replaced as a whole.
    pub(crate) fn publish_best<A: Tuned>(
        &self,
        storage: &dyn Storage,
        dir: &Path,
        model: &TrainModel<A>,
    ) -> Result<(), TrainError> {
        let averages = model.shared.lock().optimizer.averages().cloned();
        let mut write = |path: PathBuf, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
            write_synced(storage, &path, |writer| fill(writer))
        };
        // A kill that leaves no best is harmless: the state that was saved before writes it again when it is resumed.
        replace_dir(dir, |aside| self.write(aside, model, averages.as_ref(), &mut write))
    }

    #[allow(clippy::type_complexity, reason = "a closure that takes a closure; a name would say no more")]
    fn write<A: Tuned>(
        &self,
        dir: &Path,
        model: &TrainModel<A>,
        averages: Option<&Named>,
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
        write(dir.join(file_name(A::STEM, averaged)), &|writer| A::write(&clip, self, writer))?;
        Ok(())
    }
}

fn head_tensor(head: &Param<Tensor<2>>) -> Named {
    let shape = head.dims().to_vec();
    let count = shape.iter().product::<usize>();
    let values = head.val().reshape([count]);
    Named::from([(HEAD.to_owned(), Flat { shape, values })])
}
