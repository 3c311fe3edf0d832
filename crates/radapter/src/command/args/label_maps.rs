//! Arguments that name images with label maps and their classes.

use std::path::PathBuf;

use clap::Args;
use radapter_segmentation::class_list::Synonyms;

/// Images with label maps.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AnnotatedArgs {
    /// The folder of images; a label map belongs to the image with the same relative path, whatever the extension
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) label_maps: LabelMapArgs,
}

/// Label maps of images.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LabelMapArgs {
    /// The folder of label maps: 8- or 16-bit PNG, grey or with a palette, or TIFF; only images with a label map are used
    #[arg(long, value_name = "DIR")]
    pub(crate) annotations: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) classes: ClassesArgs,
    /// Stored value of the first class: 1 for ADE's original label maps, where 0 is ignored
    #[arg(long, value_name = "N")]
    pub(crate) label_offset: Option<u16>,
    /// Stored value to ignore [default: 65535 with more than 254 classes, else 255]
    #[arg(long, value_name = "N")]
    pub(crate) ignore: Option<u16>,
}

/// Validation sets known by name.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct DatasetArgs {
    /// Validation images of a known data set, in the layout that detectron2 and OVSeg prepare (needs --root): ade20k-150,
    /// ade20k-847, pascal-context-59, pascal-context-459, pascal-voc-20, coco-stuff-171
    #[arg(long, value_name = "NAME", requires = "root", conflicts_with_all = ["images", "annotations", "classes"])]
    pub(crate) dataset: Option<String>,
    /// The folder of the data sets
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// The classes of pixels.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClassesArgs {
    /// A file with one class per line, commas between synonyms, or an inline list: "sky, road, person"
    #[arg(long, value_name = "LIST|FILE")]
    pub(crate) classes: Option<String>,
    /// How synonyms are embedded: as the mean of their embeddings (mean), or as the whole line in the templates (joined), which
    /// OVSeg's figures use [default: a run's own, else mean]
    #[arg(long, value_name = "mean|joined")]
    pub(crate) synonyms: Option<Synonyms>,
}
