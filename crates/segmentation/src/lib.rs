//! Open-vocabulary segmentation with CLIP in the manner of OVSeg (Liang et al., CVPR 2023): label maps for any class names.
//!
//! * [`proposals`]: class-agnostic masks, from files or the built-in generator; [`mask`]: masks and run lengths.
//! * [`crop`], [`regions`], [`vocabulary`], [`fusion`], [`segmenter`]: crops of masked regions, their embeddings, the
//!   classes' embeddings, and their fusion into a class per pixel.
//! * [`confusion`], [`scores`]: mIoU and related measures; [`accuracy`]: classification accuracy of regions with known masks.
//! * [`class_list`], [`nouns`]: the classes of pixels, and the nouns of captions.
//! * [`config`], [`data`], [`validator`], [`task`]: the task for the trainer. [`radapter_training::finetuned`] turns a run into a
//!   model.
//!
//! # From masks to a map
//!
//! ```
//! use radapter_segmentation::fusion::{Cover, Vote, label_pixels, probabilities};
//! use radapter_segmentation::mask::{Mask, Rle};
//!
//! // Two masks over three pixels in a row, and the cosines of each with two classes.
//! let runs = |bits: [bool; 3]| Rle::of(&Mask::new(3, 1, bits.to_vec()).expect("a bit for each pixel"));
//! let votes = [
//!     Vote { cover: Cover::Binary(runs([true, true, false])), classes: probabilities(&[0.3, 0.2], 0.01) },
//!     Vote { cover: Cover::Binary(runs([false, true, false])), classes: probabilities(&[0.1, 0.4], 0.01) },
//! ];
//! // The last pixel is under no mask.
//! assert_eq!(label_pixels(3, 1, &votes), [Some(0), Some(1), None]);
//! ```

pub mod accuracy;
pub mod class_list;
pub mod config;
pub mod confusion;
pub mod crop;
pub mod data;
mod error;
pub mod fusion;
pub mod mask;
pub mod nouns;
pub mod proposals;
pub mod regions;
pub mod scores;
pub mod segmenter;
pub mod task;
pub mod validator;
pub mod vocabulary;
