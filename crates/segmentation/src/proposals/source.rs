//! Sources of masks: the built-in generator, files, annotations, or masks in memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use radapter_datasets::DatasetError;
use radapter_datasets::label_map::{self, Labelling};
use radapter_embedding::Image;
use radapter_images::RgbImage;

use super::builtin::{self, Options};
use super::files::Wanted;
use super::{Proposal, ProposalFiles, Proposals, Region};
use crate::data::annotated::segments;
use crate::mask::Rle;

/// Source of masks.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum Source {
    Builtin(Options),
    Files(ProposalFiles),
    /// The connected components of the annotations, as an upper bound.
    GroundTruth {
        /// Annotations by the image's name.
        annotations: HashMap<String, PathBuf>,
        labelling: Labelling,
        /// Minimum size of a component in pixels.
        min_area: usize,
    },
    /// Masks in memory, by the image's name.
    Known(HashMap<String, Proposals>),
}

impl Source {
    /// Opens the built-in generator for `builtin`, else files.
    ///
    /// # Errors
    /// Those of [`ProposalFiles::open`].
    pub fn open(what: &str) -> Result<Self, DatasetError> {
        match what {
            "builtin" => Ok(Self::Builtin(Options::default())),
            path => Ok(Self::Files(ProposalFiles::open(Path::new(path))?)),
        }
    }

    /// Returns notes on what was ignored.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Files(files) => files.notes(),
            _ => Vec::new(),
        }
    }

    /// Refuses files that match none of these images.
    ///
    /// # Errors
    /// Those of [`ProposalFiles::check`].
    pub fn check_names<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Result<(), DatasetError> {
        match self {
            Self::Files(files) => files.check(names),
            _ => Ok(()),
        }
    }

    /// Returns the proposals of an image. `classes` is the number of classes that class scores must have.
    ///
    /// # Errors
    /// [`DatasetError`] for masks that cannot be read or do not fit the image.
    pub fn of(&self, image: &Image, picture: &RgbImage, classes: Option<usize>) -> Result<Proposals, DatasetError> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let binary = |mask: Rle, score| Proposal { region: Region::Binary(mask), score };
        let of = |masks| Proposals { width, height, masks, class_scores: None };
        match self {
            Self::Builtin(options) => {
                let masks = builtin::proposals(picture, options).into_iter();
                Ok(of(masks.map(|found| binary(found.mask, found.score)).collect()))
            }
            Self::Files(files) => files.of(Wanted { name: &image.name, width, height, classes }),
            Self::GroundTruth { annotations, labelling, min_area } => {
                let missing = || {
                    DatasetError::Option(format!(
                        "the image {} has no annotation to take its segments from",
                        image.name
                    ))
                };
                let path = annotations.get(&image.name).ok_or_else(missing)?;
                let map = label_map::read(path, labelling)?;
                let wanted = Wanted { name: &image.name, width, height, classes };
                wanted.check_size(path, "the annotation", (map.width(), map.height()))?;
                Ok(of(segments(&map, *min_area).into_iter().map(|(_, mask)| binary(mask, 1.0)).collect()))
            }
            Self::Known(known) => Ok(known.get(&image.name).cloned().unwrap_or_else(|| of(Vec::new()))),
        }
    }
}
