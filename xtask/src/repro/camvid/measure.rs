//! Evaluates a model on CamVid: mIoU by masks, and top-1 accuracy on regions.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::Clip;
use radapter::datasets::label_map::{self, LabelMap, Labelling};
use radapter::datasets::pairs::{AnnotatedImage, pairs};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedding::{EmbedOptions, Image};
use radapter::images::{DecodeOptions, ImageSource};
use radapter::segmentation::accuracy;
use radapter::segmentation::class_list::{ClassList, Synonyms};
use radapter::segmentation::confusion::Confusion;
use radapter::segmentation::crop::{CropSettings, Cropper};
use radapter::segmentation::data::annotated::{Annotations, read, segments};
use radapter::segmentation::data::{Labels, SegmentSet};
use radapter::segmentation::mask::Mask;
use radapter::segmentation::proposals::builtin::Options;
use radapter::segmentation::proposals::recall::{Fit, Recall, best_ious};
use radapter::segmentation::proposals::{Proposals, Source};
use radapter::segmentation::scores::Scores;
use radapter::segmentation::segmenter::{SegmentSettings, Segmented, Segmenter};
use radapter::segmentation::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};

use super::row::Measured;

/// Minimum area of a segment, in pixels.
const MIN_AREA: usize = 64;

/// The source of masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masks {
    GroundTruth,
    Builtin,
}

/// The images to evaluate on.
pub(crate) struct Val {
    pub(super) pairs: Vec<AnnotatedImage>,
    classes: ClassList,
    labelling: Labelling,
    templates: Templates,
    segments: SegmentSet,
    unseen: Vec<usize>,
    truth: Arc<Source>,
    made: std::cell::OnceCell<(Arc<Source>, Quality)>,
}

/// The quality of the built-in masks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Quality {
    pub(super) recall: Recall,
    pub(super) seconds_per_image: f64,
}

impl Val {
    /// Opens a folder with `images/val/` and `annotations/val/`, whose values are places in `classes`. `unseen` are those held out.
    pub(crate) fn open(root: &Path, classes: &[&str], unseen: &[&str]) -> anyhow::Result<Self> {
        let (images, annotations) = (root.join("images/val"), root.join("annotations/val"));
        let classes = ClassList::from_lines(classes)?;
        let labelling = Labelling::new(classes.len(), None, 0)?;
        let pairs = pairs(&images, &annotations, OnError::Fail)?.images;
        let set = Annotations {
            images: &images,
            annotations: &annotations,
            classes: classes.len(),
            label_offset: 0,
            ignore: None,
            min_area: MIN_AREA,
            on_error: OnError::Fail,
        };
        let by_name = pairs.iter().map(|pair| (pair.name.clone(), pair.annotation.clone())).collect();
        let truth = Source::GroundTruth { annotations: by_name, labelling, min_area: MIN_AREA };
        Ok(Self {
            segments: read(&set, &[], &SkipReport::default(), &mut |_, _| {})?.set,
            unseen: classes.labels_of(&unseen.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?,
            templates: Templates::resolve("vild-14")?,
            truth: Arc::new(truth),
            made: std::cell::OnceCell::new(),
            pairs,
            classes,
            labelling,
        })
    }

    fn images(&self) -> Vec<Image> {
        let image =
            |pair: &AnnotatedImage| Image { name: pair.name.clone(), source: ImageSource::File(pair.image.clone()) };
        self.pairs.iter().map(image).collect()
    }

    pub(super) fn truth(&self, index: usize) -> anyhow::Result<LabelMap> {
        Ok(label_map::read(&self.pairs[index].annotation, &self.labelling)?)
    }

    /// The built-in masks, made once on one thread, and their quality.
    fn made(&self) -> anyhow::Result<&(Arc<Source>, Quality)> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let source = Source::Builtin(Options::default());
        let (mut known, mut fit, mut seconds): (HashMap<String, Proposals>, _, _) =
            (HashMap::new(), Fit::default(), 0.0);
        for (index, image) in self.images().into_iter().enumerate() {
            let picture = image.source.load(&DecodeOptions::default())?;
            let start = Instant::now();
            let proposals = source.of(&image, &picture, None)?;
            seconds += start.elapsed().as_secs_f64();
            let masks: Vec<Mask> = proposals.binary(0.5).into_iter().flatten().collect();
            let there: Vec<Mask> =
                segments(&self.truth(index)?, MIN_AREA).into_iter().map(|(_, mask)| mask.decode()).collect();
            fit.add(masks.len(), &best_ious(&masks, &there));
            known.insert(image.name, proposals);
        }
        let seconds_per_image = seconds / self.pairs.len().max(1) as f64;
        let made = (Arc::new(Source::Known(known)), Quality { recall: fit.recall(), seconds_per_image });
        Ok(self.made.get_or_init(|| made))
    }

    pub(super) fn proposals(&self) -> anyhow::Result<Quality> {
        Ok(self.made()?.1)
    }

    /// Segments images and passes each map to `take`.
    pub(super) fn segment(
        &self,
        checkpoint: &Checkpoint,
        masks: Masks,
        device: &Device,
        images: &[Image],
        take: &mut dyn FnMut(Segmented) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, device)?;
        let options = EmbedOptions { batch: 64, ..EmbedOptions::default() };
        let cropper = Cropper::new(&checkpoint.config, CropSettings::default())?;
        let texts = self.classes.texts(Synonyms::Mean);
        let vocabulary = Vocabulary::new(&clip, &texts, &self.templates, options.batch)?;
        let source = match masks {
            Masks::GroundTruth => self.truth.clone(),
            Masks::Builtin => self.made()?.0.clone(),
        };
        let settings = SegmentSettings::default();
        let segmenter = Segmenter {
            model: &clip,
            vocabulary: &vocabulary,
            cropper: &cropper,
            source,
            settings,
            options,
            cache: None,
        };
        segmenter.run(images, &mut |segmented| take(segmented).map_err(Into::into))?;
        Ok(())
    }

    pub(crate) fn measure(&self, checkpoint: &Checkpoint, masks: Masks, device: &Device) -> anyhow::Result<Measured> {
        let mut confusion = Confusion::new(self.classes.len());
        let (mut uncovered, mut pixels) = (0, 0);
        self.segment(checkpoint, masks, device, &self.images(), &mut |segmented| {
            let truth = self.truth(segmented.index)?;
            confusion.add(&segmented.name, &truth, &segmented.map)?;
            uncovered += segmented.uncovered;
            pixels += segmented.map.labels().len();
            Ok(())
        })?;
        let scores = Scores::of(&confusion, &self.classes.names(), &self.unseen);
        let top1 = match masks {
            Masks::GroundTruth => Some(self.top1(checkpoint, device)?),
            Masks::Builtin => None,
        };
        Ok(Measured {
            miou: scores.miou,
            seen: scores.seen_miou.unwrap_or(0.0),
            unseen: scores.unseen_miou.unwrap_or(0.0),
            pixel_accuracy: scores.pixel_accuracy,
            uncovered: uncovered as f64 / pixels.max(1) as f64,
            top1_seen: top1.map(|(seen, _)| seen),
            top1_unseen: top1.map(|(_, unseen)| unseen),
        })
    }

    /// Top-1 accuracy on segments among all classes: of seen classes, and of unseen ones.
    fn top1(&self, checkpoint: &Checkpoint, device: &Device) -> anyhow::Result<(f64, f64)> {
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, device)?;
        let cropper = Cropper::new(&checkpoint.config, CropSettings::default())?;
        let labels = Labels::of_classes(&self.classes, Synonyms::Mean);
        let options = EmbedOptions { batch: 64, ..EmbedOptions::default() };
        let (found, _) =
            accuracy::measure(&clip, &self.segments, &labels, &self.templates, &cropper, &options, &mut |_| {})?;
        let share = |is_unseen: bool| found.top1(|label| self.unseen.contains(&label) == is_unseen).unwrap_or(0.0);
        Ok((share(false), share(true)))
    }

    /// Every tenth image.
    pub(super) fn some(&self) -> Vec<(usize, Image)> {
        self.images().into_iter().enumerate().step_by(self.pairs.len().div_ceil(10).max(1)).collect()
    }
}
