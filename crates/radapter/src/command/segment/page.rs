//! The legend, table and page of `segment`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use radapter_datasets::label_map::colour;
use radapter_embedding::Image;
use radapter_report::{ImageLabel, Link, Page, Panel, Panels, Swatch, Table, Term, counted, percent};
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
    /// Thumbnails, as PNG files.
    #[serde(skip)]
    pub(super) image: Vec<u8>,
    #[serde(skip)]
    pub(super) overlay: Vec<u8>,
    /// Names on the overlay.
    #[serde(skip)]
    pub(super) regions: Vec<ImageLabel>,
    /// The original image.
    #[serde(skip)]
    pub(super) original: Option<Link>,
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
    let mut table = Table::new(&["image", "masks>", "under no mask>", "classes"]);
    for Entry { name, masks, uncovered, classes, .. } in entries {
        let classes: Vec<String> =
            classes.iter().take(4).map(|class| format!("{} {}", class.name, percent(class.share))).collect();
        table.row([name.clone(), masks.to_string(), percent(*uncovered), classes.join(", ")]);
    }
    table.to_string()
}

/// Renders `index.html`; `left_out` images could not be segmented.
pub(super) fn page(args: &SegmentArgs, legend: &Legend, entries: &[Entry], left_out: usize) -> String {
    let (images, classes) = (counted(entries.len(), "image", "images"), counted(legend.0.len(), "class", "classes"));
    let left_out = match left_out {
        0 => String::new(),
        count => format!(" ({count} more could not be used)"),
    };
    let lead = format!("{images}{left_out}, {classes}, by {}; masks: {}.", args.model.model, args.proposals);
    let mut page = Page::new("Segmentation", &lead);
    let occur: HashSet<u16> = entries.iter().flat_map(|entry| entry.classes.iter().map(|class| class.label)).collect();
    let swatches: Vec<Swatch> = legend
        .0
        .iter()
        .filter(|entry| occur.contains(&(entry.label as u16)))
        .map(|entry| Swatch { name: entry.name.clone(), colour: entry.colour })
        .collect();
    page.verdict(&verdict(legend.0.len(), occur.len(), entries));
    if matches!(args.alpha.get(), Ok(Some(_))) {
        page.terms(&[Term::Alpha]);
    }
    page.legend(&swatches);
    page.panels(&entries.iter().map(panels).collect::<Vec<_>>());
    page.finish()
}

/// What the figures say, and what they do not: labels of new images cannot be checked.
fn verdict(classes: usize, occur: usize, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "No image could be segmented.".to_owned();
    }
    let uncovered = entries.iter().map(|entry| entry.uncovered).sum::<f64>() / entries.len() as f64;
    let doubt = filled(entries).map_or_else(String::new, |(class, images)| {
        format!(
            " {class} fills more than 95 % of {images} of {} images, a sign that the model does not tell the classes apart.",
            entries.len()
        )
    });
    format!(
        "{occur} of {} occur; on average per image, {} of the pixels lie under no mask.{doubt} Nothing here says \
         whether the labels are right; radapter eval segmentation measures that on annotated images.",
        counted(classes, "class", "classes"),
        percent(uncovered)
    )
}

/// The class that fills most of several images almost wholly, and how many of them. A single photo may well be of one class.
fn filled(entries: &[Entry]) -> Option<(&str, usize)> {
    let mut images: BTreeMap<&str, usize> = BTreeMap::new();
    for class in entries.iter().filter_map(|entry| entry.classes.first()).filter(|class| class.share > 0.95) {
        *images.entry(&class.name).or_default() += 1;
    }
    images.into_iter().find(|&(_, count)| count > 1 && 2 * count > entries.len())
}

/// An image beside its overlay.
fn panels(entry: &Entry) -> Panels {
    let overlay = Link::below(Path::new(&format!("overlays/{}.png", entry.stem)));
    let panel = |header: &str, png: &[u8], link: Option<Link>, labels: &[ImageLabel]| Panel {
        header: header.to_owned(),
        png: png.to_vec(),
        link,
        labels: labels.to_vec(),
    };
    let class =
        |class: &Share| (Swatch { name: class.name.clone(), colour: colour(class.label) }, percent(class.share));
    Panels {
        title: entry.name.clone(),
        panels: vec![
            panel("image", &entry.image, entry.original.clone(), &[]),
            panel("classes", &entry.overlay, Some(overlay), &entry.regions),
        ],
        classes: entry.classes.iter().take(6).map(class).collect(),
    }
}

#[cfg(test)]
mod tests {
    use radapter_images::ImageSource;

    use super::*;

    fn stems_of(names: &[&str]) -> Vec<String> {
        let image = |name: &&str| Image { name: (*name).to_owned(), source: ImageSource::File((*name).into()) };
        stems(&names.iter().map(image).collect::<Vec<_>>())
    }

    fn entry(class: &str, share: f64) -> Entry {
        Entry {
            name: "image".to_owned(),
            stem: "image".to_owned(),
            masks: 1,
            uncovered: 0.1,
            classes: vec![Share { label: 0, name: class.to_owned(), share }],
            image: Vec::new(),
            overlay: Vec::new(),
            regions: Vec::new(),
            original: None,
        }
    }

    #[test]
    fn a_model_is_doubted_only_if_one_class_fills_most_images() {
        let doubted = |shares: &[(&str, f64)]| {
            let entries: Vec<Entry> = shares.iter().map(|&(class, share)| entry(class, share)).collect();
            verdict(3, 1, &entries).contains("does not tell the classes apart")
        };
        assert!(doubted(&[("sky", 0.99), ("sky", 0.96), ("sky", 0.5)]));
        assert!(!doubted(&[("sky", 0.99)]), "a photo of the sky");
        assert!(!doubted(&[("sky", 0.99), ("sky", 0.5), ("sky", 0.5)]));
        assert!(!doubted(&[("sky", 0.99), ("grass", 0.99)]), "each class fills one of two images");
        assert!(verdict(3, 1, &[entry("sky", 0.5)]).contains("on average per image, 10.0 % of the pixels"));
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
