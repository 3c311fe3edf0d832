//! What each test image adds to a figure, as `eval` writes it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use csv::{StringRecord, StringRecordsIntoIter};

/// How a figure is computed from what its images add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// The number of right answers, and of images.
    Accuracy,
    /// The share of right answers within 1, 5 and 10 to the image and the number of images; the same for texts.
    Recall,
    /// The intersection and the union of each class in pixels.
    Iou,
}

impl Figure {
    /// Computes the figure from the sums of [`Images::terms`].
    pub(super) fn of(self, sums: &[f64]) -> f64 {
        let shares = sums.chunks_exact(2).filter(|pair| pair[1] > 0.0).map(|pair| pair[0] / pair[1]);
        // A class that occurs in no image does not count.
        let (sum, count) = shares.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

/// The images of a test set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Images {
    pub(super) names: Vec<String>,
    /// What each adds: pairs of a numerator and a denominator, whose mean quotient is the figure.
    pub(super) terms: Vec<Vec<f64>>,
}

/// The images of a model's measurement by set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PerImage {
    pub(super) figure: Figure,
    pub(super) sets: BTreeMap<String, Images>,
}

impl PerImage {
    /// Reads the file of `eval classification --predictions` or of the other tasks' `--per-image`.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let mut table = csv::Reader::from_path(path)?;
        let columns = table.headers()?.clone();
        let rows = Rows { columns, records: table.into_records() };
        match ["correct", "image_to_text", "intersection"].map(|name| rows.columns.iter().any(|known| known == name)) {
            [true, ..] => rows.accuracy(),
            [_, true, _] => rows.recall(),
            [.., true] => rows.iou(),
            _ => anyhow::bail!("it has none of the columns correct, image_to_text and intersection"),
        }
    }
}

struct Rows {
    columns: StringRecord,
    records: StringRecordsIntoIter<std::fs::File>,
}

impl Rows {
    fn column(&self, name: &str) -> anyhow::Result<usize> {
        self.columns.iter().position(|known| known == name).with_context(|| format!("it has no column `{name}`"))
    }

    fn accuracy(self) -> anyhow::Result<PerImage> {
        let (set, image, correct) = (self.column("set")?, self.column("image")?, self.column("correct")?);
        let mut sets: BTreeMap<String, Images> = BTreeMap::new();
        for record in self.records {
            let record = record?;
            let images = sets.entry(record[set].to_owned()).or_default();
            images.names.push(record[image].to_owned());
            images.terms.push(vec![if &record[correct] == "1" { 1.0 } else { 0.0 }, 1.0]);
        }
        Ok(PerImage { figure: Figure::Accuracy, sets })
    }

    fn recall(self) -> anyhow::Result<PerImage> {
        let columns = ["image", "image_to_text", "text_to_image"].map(|name| self.column(name));
        let [image, to_text, to_image] = columns.into_iter().collect::<anyhow::Result<Vec<_>>>()?[..] else {
            anyhow::bail!("it has too few columns")
        };
        let mut images = Images::default();
        for record in self.records {
            let record = record?;
            let right = |ranks: &str| -> anyhow::Result<[f64; 2]> {
                let ranks = ranks.split(' ').map(str::parse).collect::<Result<Vec<u32>, _>>()?;
                let share = |rank: &u32| [1, 5, 10].iter().filter(|&k| rank <= k).count() as f64 / 3.0;
                Ok([ranks.iter().map(share).sum(), ranks.len() as f64])
            };
            images.names.push(record[image].to_owned());
            images.terms.push([right(&record[to_text])?, right(&record[to_image])?].concat());
        }
        Ok(PerImage { figure: Figure::Recall, sets: BTreeMap::from([(String::new(), images)]) })
    }

    fn iou(self) -> anyhow::Result<PerImage> {
        let columns = ["image", "class", "intersection", "truth", "predicted"].map(|name| self.column(name));
        let columns = columns.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let mut images = Images::default();
        for record in self.records {
            let record = record?;
            let number = |column: usize| -> anyhow::Result<f64> { Ok(record[columns[column]].parse()?) };
            let name = &record[columns[0]];
            if images.names.last().is_none_or(|last| last != name) {
                images.names.push(name.to_owned());
                images.terms.push(Vec::new());
            }
            let class: usize = record[columns[1]].parse()?;
            let (both, truth, predicted) = (number(2)?, number(3)?, number(4)?);
            if let Some(terms) = images.terms.last_mut() {
                terms.resize(terms.len().max(2 * class + 2), 0.0);
                terms[2 * class] += both;
                terms[2 * class + 1] += truth + predicted - both;
            }
        }
        Ok(PerImage { figure: Figure::Iou, sets: BTreeMap::from([(String::new(), images)]) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(text: &str) -> anyhow::Result<PerImage> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        PerImage::read(file.path())
    }

    fn figure(found: &PerImage, set: &str) -> f64 {
        let terms = &found.sets[set].terms;
        let width = terms.iter().map(Vec::len).max().unwrap();
        let sum = |column: usize| terms.iter().map(|terms| terms.get(column).copied().unwrap_or(0.0)).sum();
        found.figure.of(&(0..width).map(sum).collect::<Vec<f64>>())
    }

    #[test]
    fn accuracy_is_the_share_of_right_answers_of_each_set() {
        let found = read("set,image,label,prediction,correct,score\nnear,a,x,x,1,3\nnear,b,x,y,0,3\nfar,a,x,x,1,3\n");
        let found = found.unwrap();
        assert_eq!((figure(&found, "near"), figure(&found, "far")), (0.5, 1.0));
        assert_eq!(found.sets["near"].names, ["a", "b"]);
    }

    #[test]
    fn recall_is_the_mean_of_six() {
        // Image to text: R@1 0.5, R@5 1, R@10 1. Text to image, of three texts: 1/3, 2/3, 2/3.
        let found = read("image,image_to_text,text_to_image\na,1,1 11\nb,4,2\n").unwrap();
        let expected = (0.5 + 1.0 + 1.0 + 1.0 / 3.0 + 2.0 / 3.0 + 2.0 / 3.0) / 6.0;
        assert!((figure(&found, "") - expected).abs() < 1e-12);
    }

    #[test]
    fn iou_is_of_pixels_over_all_images_and_of_classes_that_occur() {
        let found = read("image,class,intersection,truth,predicted\na,0,5,10,5\na,2,1,1,4\nb,0,5,5,10\n").unwrap();
        assert_eq!(found.sets[""].names, ["a", "b"]);
        // Class 0: 10 of 20; class 2: 1 of 4; class 1 occurs nowhere.
        assert!((figure(&found, "") - (0.5 + 0.25) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn other_tables_are_refused() {
        let error = read("a,b\n1,2\n").unwrap_err().to_string();
        assert!(error.contains("correct, image_to_text and intersection"), "{error}");
        assert!(read("image,image_to_text,text_to_image\na,1,\n").is_err());
    }
}
