//! Sets of captions in every format, on temporary files.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod coco;
mod detection;
mod karpathy;
mod table;

use std::path::PathBuf;

use radapter_images::ImageSource;
use serde_json::Value;

use super::*;

/// Folder with captions and images.
struct Data {
    folder: tempfile::TempDir,
    report: SkipReport,
}

impl Data {
    /// Creates a folder with images, which are not decoded here and may be empty.
    fn new(images: &[&str]) -> Self {
        let data = Self { folder: tempfile::tempdir().unwrap(), report: SkipReport::default() };
        std::fs::create_dir(data.path("images")).unwrap();
        for image in images {
            data.write(&format!("images/{image}"), "");
        }
        data
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn options(&self) -> CaptionsOptions {
        CaptionsOptions { images: Some(self.path("images")), ..Default::default() }
    }

    /// Reads a file with this content.
    fn read(&self, name: &str, content: &str, options: &CaptionsOptions) -> Result<CaptionedImages, DatasetError> {
        super::read(&self.write(name, content), options, OnError::Fail, &self.report)
    }

    fn skip(&self, name: &str, content: &str, options: &CaptionsOptions) -> Result<CaptionedImages, DatasetError> {
        super::read(&self.write(name, content), options, OnError::Skip, &self.report)
    }

    /// Returns the names of the skipped samples.
    fn skipped(&self) -> Vec<String> {
        self.report.entries().into_iter().map(|entry| entry.name).collect()
    }

    /// Returns names, files within the image folder, and captions.
    fn content(&self, set: &CaptionedImages) -> Vec<(String, String, Vec<String>)> {
        let file = |source: &ImageSource| match source {
            ImageSource::File(path) => path.strip_prefix(self.path("images")).unwrap_or(path).display().to_string(),
            other => panic!("{other:?}"),
        };
        set.images.iter().map(|image| (image.name.clone(), file(&image.source), image.captions.clone())).collect()
    }
}

fn expected(images: &[(&str, &str, &[&str])]) -> Vec<(String, String, Vec<String>)> {
    let owned = |text: &&str| (*text).to_owned();
    images
        .iter()
        .map(|(name, file, captions)| (owned(name), owned(file), captions.iter().map(owned).collect()))
        .collect()
}

/// Asserts that a message has these parts.
fn assert_says(error: &DatasetError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// Builds Karpathy's JSON of an image with captions.
fn image(filename: &str, split: &str, captions: &[&str]) -> Value {
    let sentences: Vec<Value> = captions.iter().map(|raw| serde_json::json!({"raw": raw, "tokens": ["x"]})).collect();
    serde_json::json!({"filename": filename, "imgid": 1, "split": split, "sentences": sentences})
}

fn karpathy(images: &[Value]) -> String {
    serde_json::json!({"images": images, "dataset": "test"}).to_string()
}

#[test]
fn sets_count_and_choose() {
    let data = Data::new(&["a.jpg", "b.jpg", "c.jpg"]);
    let rows = "filepath\ttitle\na.jpg\tone\nb.jpg\ttwo\na.jpg\tthree\nc.jpg\tfour\n";
    let set = data.read("t.tsv", rows, &data.options()).unwrap();
    assert_eq!((set.len(), set.captions(), set.is_empty()), (3, 4, false));
    let part = set.subset(&[2, 0]);
    assert_eq!(data.content(&part), expected(&[("c.jpg", "c.jpg", &["four"]), ("a.jpg", "a.jpg", &["one", "three"])]));
    assert!(CaptionedImages::default().is_empty());
}

#[test]
fn options_are_settings_of_a_file() {
    let options = CaptionsOptions {
        format: Some(CaptionsFormat::Csv),
        csv_separator: Some('\t'),
        max_captions: Some(2),
        ..Default::default()
    };
    let written = toml::to_string(&options).unwrap();
    assert!(written.contains("format = \"csv\""), "{written}");
    assert_eq!(toml::from_str::<CaptionsOptions>(&written).unwrap(), options);
    assert!(toml::from_str::<CaptionsOptions>("separator = 3").is_err());
}

#[test]
fn only_the_first_captions_are_kept() {
    let data = Data::new(&["a.jpg", "b.jpg"]);
    let content = karpathy(&[image("a.jpg", "x", &["1", "2", "3"]), image("b.jpg", "x", &["4"])]);
    let options = CaptionsOptions { max_captions: Some(2), ..data.options() };
    let set = data.read("k.json", &content, &options).unwrap();
    assert_eq!(data.content(&set), expected(&[("a.jpg", "a.jpg", &["1", "2"]), ("b.jpg", "b.jpg", &["4"])]));
    let none = CaptionsOptions { max_captions: Some(0), ..data.options() };
    assert_says(&data.read("k.json", &content, &none).unwrap_err(), &["max_captions is 0", "at least 1"]);
}

#[test]
fn folders_of_images_are_required_and_must_exist() {
    let data = Data::new(&["a.jpg"]);
    let content = karpathy(&[image("a.jpg", "x", &["1"])]);
    let error = data.read("k.json", &content, &CaptionsOptions::default()).unwrap_err();
    assert_says(&error, &["`karpathy`", "need the folder", "`images`"]);
    let wrong = CaptionsOptions { images: Some(data.path("imagse")), ..Default::default() };
    // A missing folder cannot be skipped.
    assert_says(&data.skip("k.json", &content, &wrong).unwrap_err(), &["imagse", "is not a folder"]);
    assert!(data.skipped().is_empty());
    let missing = super::read(&data.path("gone.json"), &data.options(), OnError::Fail, &data.report).unwrap_err();
    assert_says(&missing, &["cannot read", "gone.json"]);
}

#[test]
fn nothing_left_is_an_error_that_says_why() {
    let data = Data::new(&["a.jpg"]);
    let options = data.options();
    assert_says(
        &data.read("k.json", &karpathy(&[]), &options).unwrap_err(),
        &["k.json", "no image", "it has no images"],
    );
    let content = karpathy(&[image("b.jpg", "x", &["1"]), image("a.jpg", "x", &[])]);
    let error = data.skip("k.json", &content, &options).unwrap_err();
    assert_says(&error, &["2 were skipped", "the first because of this", "images[0]", "`b.jpg`"]);
}
