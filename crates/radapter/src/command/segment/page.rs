//! The legend, table and page of `segment`.

use std::collections::HashSet;

use radapter_datasets::label_map::colour;
use radapter_embedding::Image;
use radapter_report::{Page, SegmentedImage, Swatch, Table, percent};
use radapter_segmentation::class_list::ClassList;
use serde::Serialize;

use crate::command::args::SegmentArgs;

/// `legend.json`: the class and colour of each label.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Legend(Vec<LegendEntry>);

#[derive(Clone, Debug, Serialize)]
struct LegendEntry {
    label: usize,
    name: String,
    /// Red, green, blue.
    colour: [u8; 3],
}

impl Legend {
    pub(super) fn new(classes: &ClassList) -> Self {
        let entry = |(label, name): (usize, String)| LegendEntry { label, name, colour: colour(label as u16) };
        Self(classes.names().into_iter().enumerate().map(entry).collect())
    }
}

/// A segmented image.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    pub(super) name: String,
    #[serde(skip)]
    pub(super) stem: String,
    pub(super) masks: usize,
    /// Share of the pixels under no mask.
    pub(super) uncovered: f64,
    /// The classes that occur, the largest first.
    pub(super) classes: Vec<Share>,
    #[serde(skip)]
    pub(super) thumbnail: Vec<u8>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Share {
    label: u16,
    name: String,
    /// Share of the image's pixels, from 0 to 1.
    share: f64,
}

impl From<(u16, String, f64)> for Share {
    fn from((label, name, share): (u16, String, f64)) -> Self {
        Self { label, name, share }
    }
}

/// The names of each image's files: the relative path without extension, or with it for all images if two would share a name.
pub(super) fn stems(images: &[Image]) -> Vec<String> {
    let relative = |image: &Image| {
        // A path with `..` or a root would leave the folder of results.
        let parts = std::path::Path::new(&image.name).components();
        let parts = parts.filter_map(|part| match part {
            std::path::Component::Normal(part) => part.to_str(),
            _ => None,
        });
        parts.collect::<Vec<_>>().join("/")
    };
    let names: Vec<String> = images.iter().map(relative).collect();
    // A single image needs no folders.
    let names = match &names[..] {
        [only] => vec![only.rsplit('/').next().unwrap_or(only).to_owned()],
        _ => names,
    };
    let stem = |name: &String| name.rsplit_once('.').map_or(name.clone(), |(stem, _)| stem.to_owned());
    let mut seen = HashSet::new();
    if names.iter().all(|name| seen.insert(stem(name))) { names.iter().map(stem).collect() } else { names }
}

/// The table on the terminal.
pub(super) fn table(entries: &[Entry]) -> String {
    let mut table = Table::new(&["image", "masks>", "under none>", "classes"]);
    for Entry { name, masks, uncovered, classes, .. } in entries {
        let classes: Vec<String> =
            classes.iter().take(4).map(|class| format!("{} {}", class.name, percent(class.share))).collect();
        table.row([name.clone(), masks.to_string(), percent(*uncovered), classes.join(", ")]);
    }
    table.to_string()
}

/// Renders `index.html`.
pub(super) fn page(args: &SegmentArgs, legend: &Legend, entries: &[Entry]) -> String {
    let lead = format!(
        "{} images, {} classes, by {}; masks: {}.",
        entries.len(),
        legend.0.len(),
        args.model.model,
        args.proposals
    );
    let mut page = Page::new("Segmentation", &lead);
    let occur: HashSet<u16> = entries.iter().flat_map(|entry| entry.classes.iter().map(|class| class.label)).collect();
    let swatches: Vec<Swatch> = legend
        .0
        .iter()
        .filter(|entry| occur.contains(&(entry.label as u16)))
        .map(|entry| Swatch { name: entry.name.clone(), colour: entry.colour })
        .collect();
    page.legend(&swatches);
    let images: Vec<SegmentedImage> = entries
        .iter()
        .map(|entry| SegmentedImage {
            png: entry.thumbnail.clone(),
            link: Some(format!("overlays/{}.png", entry.stem)),
            title: entry.name.clone(),
            classes: entry
                .classes
                .iter()
                .take(6)
                .map(|class| (Swatch { name: class.name.clone(), colour: colour(class.label) }, percent(class.share)))
                .collect(),
        })
        .collect();
    page.segmented(&images);
    page.finish()
}

#[cfg(test)]
mod tests {
    use radapter_images::ImageSource;

    use super::*;

    fn stems_of(names: &[&str]) -> Vec<String> {
        let image = |name: &&str| Image { name: (*name).to_owned(), source: ImageSource::File((*name).into()) };
        stems(&names.iter().map(image).collect::<Vec<_>>())
    }

    #[test]
    fn files_are_named_after_images_and_stay_in_their_folder() {
        assert_eq!(stems_of(&["a/b.jpg", "c.d.png"]), ["a/b", "c.d"]);
        assert_eq!(stems_of(&["a.jpg", "a.png", "b.png"]), ["a.jpg", "a.png", "b.png"]);
        assert_eq!(stems_of(&["a.jpg", "a.png", "a.jpg.png"]), ["a.jpg", "a.png", "a.jpg.png"]);
        assert_eq!(stems_of(&["/home/../x/street.jpg"]), ["street"]);
        assert_eq!(stems_of(&["../a.jpg", "/b.jpg"]), ["a", "b"]);
    }
}
