//! Pixel-wise confusion matrix.

use radapter_datasets::DatasetError;
use radapter_datasets::label_map::{IGNORED, LabelMap};

/// Confusion matrix over a set of label maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[classes, classes + 1]`: rows are true classes, columns predicted ones, the last column unlabelled pixels.
    pixels: Vec<u64>,
}

impl Confusion {
    /// Creates an empty matrix.
    pub fn new(classes: usize) -> Self {
        Self { classes, pixels: vec![0; classes * (classes + 1)] }
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Adds an image. Pixels whose true label is ignored do not count; an ignored predicted label counts as
    /// wrong.
    ///
    /// # Errors
    /// [`DatasetError`] for maps of different sizes and labels out of range; nothing is added then.
    pub fn add(&mut self, name: &str, truth: &LabelMap, prediction: &LabelMap) -> Result<(), DatasetError> {
        let size = |map: &LabelMap| (map.width(), map.height());
        if size(truth) != size(prediction) {
            let ((width, height), (found_width, found_height)) = (size(truth), size(prediction));
            let found = format!("the label map has {found_width} × {found_height} pixels");
            return Err(DatasetError::new(name, format!("{found}, its annotation {width} × {height}")));
        }
        for map in [truth, prediction] {
            if let Some((label, x, y)) = map.first_out_of_range(self.classes) {
                let problem = format!("label {label} at the pixel ({x}, {y}), but there are {} classes", self.classes);
                return Err(DatasetError::new(name, problem));
            }
        }
        for (&truth, &prediction) in truth.labels().iter().zip(prediction.labels()) {
            if truth != IGNORED {
                let column = if prediction == IGNORED { self.classes } else { usize::from(prediction) };
                self.pixels[usize::from(truth) * (self.classes + 1) + column] += 1;
            }
        }
        Ok(())
    }

    /// Adds the pixels of another matrix of the same classes.
    ///
    /// # Panics
    /// If the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "the matrices have the same classes");
        self.pixels.iter_mut().zip(&other.pixels).for_each(|(sum, pixels)| *sum += pixels);
    }

    /// Returns the number of pixels of a true class that were predicted as a class.
    pub fn at(&self, truth: usize, prediction: usize) -> u64 {
        self.pixels[truth * (self.classes + 1) + prediction]
    }

    /// Returns the number of annotated pixels.
    pub fn pixels(&self) -> u64 {
        (0..self.classes()).map(|class| self.of_truth(class)).sum()
    }

    /// Returns the number of pixels of a true class.
    pub fn of_truth(&self, class: usize) -> u64 {
        self.pixels[class * (self.classes + 1)..(class + 1) * (self.classes + 1)].iter().sum()
    }

    /// Returns the number of annotated pixels that were predicted as a class.
    pub fn of_prediction(&self, class: usize) -> u64 {
        (0..self.classes).map(|truth| self.at(truth, class)).sum()
    }
}
