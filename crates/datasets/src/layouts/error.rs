use std::path::PathBuf;

use thiserror::Error;

/// Why a data set cannot be found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No data set has that name.
    #[error("no data set is called `{name}`; known are {}; others are read with `--images` and `--annotations`", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A data set has no such part.
    #[error("{dataset} has no split `{split}` here; {}", splits(known))]
    Split {
        /// The data set.
        dataset: &'static str,
        /// What was asked for.
        split: String,
        /// What there is.
        known: &'static [&'static str],
    },
    /// The folder of all data sets is missing.
    #[error("{dataset}: the folder of data sets {} does not exist; give the one that detectron2 calls DETECTRON2_DATASETS", root.display())]
    NoRoot {
        /// The data set.
        dataset: &'static str,
        /// The folder.
        root: PathBuf,
    },
    /// A folder of the data set is missing.
    #[error("{dataset}: the {what} are not at {}; {from}", path.display())]
    Missing {
        /// The data set.
        dataset: &'static str,
        /// "images" or "annotations".
        what: &'static str,
        /// Where they should be.
        path: PathBuf,
        /// What makes them.
        from: String,
    },
}

fn splits(known: &[&str]) -> String {
    match known {
        [] => "it is read as a whole; leave the split out".into(),
        known => format!("known are {}", known.join(", ")),
    }
}
