//! Cross-modal retrieval with CLIP: images by text and texts by image.
//!
//! * [`recall`]: R@1, R@5, R@10 and the median rank in both directions over the full gallery, in blocks; [`embedded`]: the same
//!   from
//!   precomputed embeddings of any model.
//! * [`gallery`]: images with their captions, embedded and evaluated.
//! * [`config`], [`data`], [`validator`], [`task`]: the task for the trainer. [`radapter_training::finetuned`] turns a run into a
//!   model.
//! * [`index`]: embeddings of a folder of images, kept on disk, updated and searched.
//!
//! # Recall at K
//!
//! ```
//! use radapter_retrieval::recall::{Evaluation, Rows, ranks};
//!
//! # fn main() -> Result<(), radapter_retrieval::recall::RecallError> {
//! let images = [1.0, 0.0, /* */ 0.0, 1.0];
//! let texts = [0.8, 0.6, /* */ 0.6, 0.8, /* */ 1.0, 0.0];
//! // The first and the last text belong to image 0.
//! let ranks = ranks(Rows::new(2, &images)?, Rows::new(2, &texts)?, &[0, 1, 0], &mut |_| {})?;
//! let evaluation = Evaluation::of(&ranks);
//! assert_eq!(evaluation.image_to_text.r1, 1.0);
//! assert_eq!(evaluation.text_to_image.r1, 1.0);
//! # Ok(())
//! # }
//! ```

pub mod config;
pub mod data;
pub mod embedded;
pub mod gallery;
pub mod index;
pub mod recall;
pub mod task;
pub mod validator;
