//! Data for fine-tuning a CLIP: where labelled pictures come from, in which order they are seen, and how they get to the device in time.
//!
//! Read a set with [`folder`], [`table`] or [`imagenet`], or draw one with [`shapes`]; choose parts of it with [`subset`]; go through it
//! by [`order`], with [`augment`] and [`prefetch`], under an [`on_error`] policy; make texts of its classes with [`templates`] and
//! [`class_names`].
//!
//! Two rules hold throughout. Nothing is random but through a named stream of [`seed`], so that an epoch's order is a function of
//! (seed, epoch) and a picture's augmentation one of (seed, epoch, index). And whatever is wrong with the data is an error that names
//! the file, and the line and column where it has those, and says what was expected.

pub mod augment;
pub mod class_names;
pub mod folder;
pub mod imagenet;
pub mod labelled;
pub mod on_error;
pub mod order;
pub mod prefetch;
pub mod seed;
pub mod shapes;
pub mod source;
pub mod subset;
pub mod table;
pub mod templates;

pub use class_names::ClassNames;
pub use labelled::{Class, LabelledImages, Warning};
pub use on_error::{OnError, SkipReport};
pub use source::{ImageSource, Sample};
pub use templates::Templates;
