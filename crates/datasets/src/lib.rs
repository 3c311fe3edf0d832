//! Data for fine-tuning a CLIP: where labelled and captioned pictures come from, in which order they are seen, and how they get to the device in time.
//!
//! Read a labelled set with [`folder`], [`table`] or [`imagenet`], one with captions with [`captions`], or draw one with [`shapes`]; choose
//! parts of it with [`subset`]; pair images with [`label_map`]s by [`pairs`], or take a known set by its [`layouts`]; go through it by [`order`], or through tar [`shards`] by an order of their own, with [`augment`] and
//! [`prefetch`], under an [`on_error`] policy, with a [`PixelCache`](radapter_images::PixelCache) where they are seen again; make texts of its classes with [`templates`] and [`class_names`].
//!
//! Two rules hold throughout. Nothing is random but through a named stream of [`seed`], so that an epoch's order is a function of
//! (seed, epoch) and a picture's augmentation one of (seed, epoch, index). And whatever is wrong with the data is an error that names
//! the file, and the line and column where it has those, and says what was expected.

pub mod augment;
pub mod captions;
mod class;
pub mod class_names;
pub mod fingerprint;
pub mod folder;
pub mod imagenet;
pub mod label_map;
pub mod labelled;
pub mod layouts;
pub mod on_error;
pub mod order;
pub mod pairs;
pub mod prefetch;
pub mod seed;
pub mod shapes;
pub mod shards;
pub mod subset;
pub mod table;
pub mod templates;

pub use captions::{CaptionedImage, CaptionedImages, CaptionsFormat, CaptionsOptions};
pub use class::Class;
pub use class_names::ClassNames;
pub use labelled::{LabelledImages, Sample, Warning};
pub use on_error::{OnError, SkipReport};
pub use shards::{ShardSample, Shards};
pub use templates::Templates;
