//! Data for fine-tuning CLIP: labelled and captioned images from various sources, the order of an epoch, and decoding
//! ahead of the device.
//!
//! ```
//! use radapter_datasets::shapes::{self, Domain, Split, World};
//! use radapter_datasets::{folder, order, subset};
//! use radapter_images::DecodeOptions;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! // Two images of each of 24 classes, drawn into `train/photo/<class>/<index>.png`.
//! shapes::write(&World::new(0), dir.path(), Split::Train, &[Domain::Photo], 48, false)?;
//!
//! let images = folder::read(&dir.path().join("train/photo"), None)?;
//! assert_eq!((images.classes.len(), images.samples.len()), (24, 48));
//!
//! // One image of each class, in the order of the first epoch.
//! let few = images.subset(&subset::few_shot(&images.labels(), 1, 0).indices);
//! for index in order::epoch_order(few.samples.len(), 0, 0) {
//!     let pixels = few.samples[index].source.load(&DecodeOptions::default())?;
//!     assert_eq!(pixels.dimensions(), (64, 64));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | modules | content |
//! |---|---|
//! | [`folder`], [`table`], [`imagenet`] | labelled images: one folder per class, CSV files, the ImageNet family |
//! | [`captions`], [`shards`] | images with captions: Karpathy's and COCO's JSON, CSV files, webdataset's tar shards |
//! | [`label_map`], [`pairs`], [`layouts`] | images with a class per pixel, and the layouts of known sets |
//! | [`shapes`] | a synthetic world with classes, captions, masks and domains: data without a download |
//! | [`labelled`] | a set of labelled images and its classes |
//! | [`subset`], [`order`], [`seed`] | few-shot and held-out parts; the order of an epoch; random streams by seed |
//! | [`augment`], [`prefetch`], [`on_error`] | random crops and flips; decoding by worker threads; damaged images |
//! | [`templates`], [`class_names`] | prompts for classes; texts for folders whose names are not words |
//! | [`list`] | names that options take: a file, a JSON list, or names with commas between |
//! | [`fingerprint`] | a hash that identifies a data set |
//!
//! Two rules hold throughout. Randomness comes from the named streams of [`seed`] alone: the order of an epoch is a function of
//! (seed, epoch), the augmentation of an image one of (seed, epoch, index). Every problem with the data is an error that names
//! the file, with line and column if there are any, and says what was expected.

pub mod augment;
mod captioned;
pub mod captions;
pub mod class_names;
mod error;
pub mod fingerprint;
pub mod folder;
pub mod imagenet;
pub mod label_map;
pub mod labelled;
pub mod layouts;
pub mod list;
pub mod on_error;
pub mod order;
pub mod pairs;
pub mod prefetch;
pub mod seed;
pub mod shapes;
pub mod shards;
mod shift;
pub mod subset;
pub mod table;
pub mod templates;

pub use captioned::{CaptionedImage, CaptionedImages};
pub use captions::{CaptionsFormat, CaptionsOptions};
pub use class_names::ClassNames;
pub use error::DatasetError;
pub use labelled::{Class, LabelledImages, Sample, Warning};
pub use on_error::{OnDamage, OnError, SkipReport};
pub use shards::{ShardSample, Shards};
pub use shift::{Shift, ShiftKind};
pub use templates::Templates;
