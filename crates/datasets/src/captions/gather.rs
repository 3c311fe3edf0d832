//! Common steps of all formats: one image per path, checks of files and captions, and skipping.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use radapter_images::ImageSource;

use crate::DatasetError;
use crate::captioned::{CaptionedImage, CaptionedImages};
use crate::on_error::{OnError, SkipReport};

/// Image with captions, or with one more of its captions, as in the file.
pub(super) struct Entry<'a> {
    /// Path as in the file.
    pub(super) name: String,
    /// Candidate paths of the image file, in order of preference.
    pub(super) tried: Vec<PathBuf>,
    pub(super) captions: Vec<String>,
    /// Returns its place in the file, or with an index the place of that caption.
    pub(super) place: &'a dyn Fn(Option<usize>) -> String,
}

/// Collects entries into a set.
pub(super) struct Gather<'a> {
    file: &'a Path,
    on_error: OnError,
    report: &'a SkipReport,
    max_captions: usize,
    images: Vec<Image>,
    /// Indices of images by every candidate path; `None` for missing files.
    by_path: HashMap<PathBuf, Option<usize>>,
    /// Number of skipped images and captions, and the first reason.
    left_out: (usize, String),
}

struct Image {
    image: CaptionedImage,
    place: String,
    /// Captions seen in the file, including empty ones.
    seen: usize,
}

impl<'a> Gather<'a> {
    pub(super) fn new(file: &'a Path, on_error: OnError, report: &'a SkipReport, max_captions: Option<usize>) -> Self {
        Self {
            file,
            on_error,
            report,
            max_captions: max_captions.unwrap_or(usize::MAX),
            images: Vec::new(),
            by_path: HashMap::new(),
            left_out: (0, String::new()),
        }
    }

    /// Adds an entry; later ones of the same file add their captions.
    pub(super) fn add(&mut self, entry: Entry<'_>) -> Result<(), DatasetError> {
        let Some(at) = self.find(&entry)? else { return Ok(()) };
        for (index, caption) in entry.captions.into_iter().enumerate() {
            self.images[at].seen += 1;
            let (number, name) = (self.images[at].seen, &self.images[at].image.name);
            if !caption.trim().is_empty() {
                self.images[at].image.captions.push(caption);
                continue;
            }
            let named = format!("{name}, caption {number}");
            let problem = format!("caption {number} of `{name}` is empty; add a text or remove it");
            self.leave_out(&named, (entry.place)(Some(index)), problem)?;
        }
        Ok(())
    }

    /// Returns the index of an entry's image, or `None` if it is skipped because its file is missing.
    fn find(&mut self, entry: &Entry<'_>) -> Result<Option<usize>, DatasetError> {
        let Some(first) = entry.tried.first() else { return Ok(None) };
        if let Some(&known) = self.by_path.get(first) {
            return Ok(known);
        }
        let Some(path) = entry.tried.iter().find(|path| path.is_file()) else {
            let tried: Vec<String> = entry.tried.iter().map(|path| path.display().to_string()).collect();
            let (name, tried) = (&entry.name, tried.join(" and "));
            let problem =
                format!("there is no image file for `{name}`; looked for {tried}; check the folder of images");
            self.by_path.insert(first.clone(), None);
            return self.leave_out(name, (entry.place)(None), problem).map(|()| None);
        };
        let at = self.by_path.get(path).copied().flatten().unwrap_or(self.images.len());
        self.by_path.insert(first.clone(), Some(at));
        self.by_path.insert(path.clone(), Some(at));
        if at == self.images.len() {
            let source = ImageSource::File(path.clone());
            let image = CaptionedImage { name: entry.name.clone(), source, captions: Vec::new() };
            self.images.push(Image { image, place: (entry.place)(None), seen: 0 });
        }
        Ok(Some(at))
    }

    /// Reports a damaged sample, or returns the error.
    pub(super) fn leave_out(&mut self, name: &str, place: String, problem: String) -> Result<(), DatasetError> {
        let error = DatasetError::at(self.file, place, problem);
        if self.left_out.0 == 0 {
            self.left_out.1 = error.to_string();
        }
        self.left_out.0 += 1;
        self.on_error.settle(name, Err::<(), _>(error), self.report).map(|_| ())
    }

    pub(super) fn finish(mut self) -> Result<CaptionedImages, DatasetError> {
        let mut images = Vec::with_capacity(self.images.len());
        for Image { mut image, place, .. } in std::mem::take(&mut self.images) {
            if image.captions.is_empty() {
                let problem = format!("`{}` has no caption; expected at least one", image.name);
                self.leave_out(&image.name, place, problem)?;
                continue;
            }
            image.captions.truncate(self.max_captions);
            images.push(image);
        }
        if images.is_empty() {
            let why = match self.left_out {
                (0, _) => "it has no images".to_owned(),
                (count, first) => format!("{count} were skipped, the first because of this: {first}"),
            };
            return Err(DatasetError::about(self.file, format!("gives no image with a caption: {why}")));
        }
        Ok(CaptionedImages { images })
    }
}
