//! The suite of the ImageNet family in its usual layout.
//!
//! | set | folder | images are | answers |
//! |---|---|---|---|
//! | `imagenet` (in distribution) | `ILSVRC2012/val/<wnid>` | of 1000 classes | all 1000 |
//! | `imagenet-v2` | `imagenetv2-matched-frequency-format-val/<0…999>` | of 1000 classes; the folder's number is the label | all 1000 |
//! | `imagenet-r` | `imagenet-r/<wnid>` | of 200 classes | its 200 |
//! | `imagenet-sketch` | `sketch/<wnid>` | of 1000 classes | all 1000 |
//! | `objectnet` | `objectnet-1.0/images/<folder>` | of 113 folders, without their border of 2 pixels | the 113; a folder scores as the best of its ImageNet classes |
//! | `imagenet-a` | `imagenet-a/<wnid>` | of 200 classes | its 200 |
//!
//! Results have a second average over the shifted sets without `objectnet`, as in papers that leave it out.
//!
//! The tables themselves are in [`radapter_datasets::imagenet`].

use std::path::Path;

use radapter_datasets::imagenet::{self, ImageNetSet, Scoring};
use radapter_datasets::{Class, ClassNames};

use crate::candidates::Candidates;
use crate::classes::{Classes, ClassesError};
use crate::suite::{Suite, SuiteError, TestSet};

/// Returns the thousand classes in label order: WordNet ids, with OpenAI's names as texts unless `names` has others.
///
/// # Errors
/// [`ClassesError::EmptyText`] if `names` has an empty text.
pub fn classes(names: Option<&ClassNames>) -> Result<Classes, ClassesError> {
    let class = |class: &imagenet::ImageNetClass| {
        let given = names.and_then(|names| names.get(class.wnid));
        Class { folder: class.wnid.to_owned(), text: given.unwrap_or(class.name).to_owned() }
    };
    Classes::new(imagenet::classes().iter().map(class).collect())
}

/// Returns OpenAI's names for the WordNet ids, as class names for an image folder such as ILSVRC 2012's.
pub fn class_names() -> ClassNames {
    let pair = |class: &imagenet::ImageNetClass| (class.wnid.to_owned(), class.name.to_owned());
    imagenet::classes().iter().map(pair).collect()
}

impl Suite {
    /// Opens ImageNet's validation set and the given shifted sets ([`ImageNetSet::SHIFTED`] are the paper's) below `root`,
    /// for a model whose classes are WordNet ids. [`check_images`](Self::check_images) refuses sets that are incomplete.
    ///
    /// # Errors
    /// [`SuiteError::NotImageNet`] for a model without all 1000 classes, [`SuiteError::MissingSets`] naming all missing
    /// sets, [`SuiteError::Data`] for a set that cannot be read.
    pub fn imagenet(root: &Path, shifted: &[ImageNetSet], classes: &Classes) -> Result<Self, SuiteError> {
        let mut missing = imagenet::classes().iter().filter(|class| classes.position(class.wnid).is_err());
        if let Some(first) = missing.next() {
            return Err(SuiteError::NotImageNet { missing: 1 + missing.count(), first: first.wnid });
        }
        let missing: Vec<&str> = std::iter::once(&ImageNetSet::Val)
            .chain(shifted)
            .map(|set| set.folder())
            .filter(|folder| !root.join(folder).is_dir())
            .collect();
        if !missing.is_empty() {
            return Err(SuiteError::MissingSets { root: root.to_owned(), missing: missing.join(", ") });
        }
        let open = |set: &ImageNetSet| open(*set, root, classes);
        Ok(Self { id: open(&ImageNetSet::Val)?, ood: shifted.iter().map(open).collect::<Result<_, _>>()? })
    }
}

fn open(set: ImageNetSet, root: &Path, classes: &Classes) -> Result<TestSet, SuiteError> {
    let name = set.name();
    let images = set.read(root, None).map_err(|error| SuiteError::Data { set: name.to_owned(), error })?;
    let wnid = |&label: &usize| imagenet::classes()[label].wnid;
    let candidates = match set.scoring() {
        Scoring::All => Candidates::subset(classes, imagenet::classes().iter().map(|c| c.wnid)),
        Scoring::Subset(labels) => Candidates::subset(classes, labels.iter().map(wnid)),
        Scoring::MaxOver(groups) => {
            let folders = images.classes.iter().map(|class| class.folder.as_str());
            let members = groups.iter().map(|labels| labels.iter().map(wnid));
            Candidates::groups(classes, folders.zip(members))
        }
    };
    let candidates = candidates.map_err(|error| SuiteError::Classes { set: name.to_owned(), error })?;
    Ok(TestSet {
        border: set.border(),
        images: Some(set.images()),
        in_second_average: set != ImageNetSet::ObjectNet,
        ..TestSet::scored(name.to_owned(), images, classes, candidates)?
    })
}
