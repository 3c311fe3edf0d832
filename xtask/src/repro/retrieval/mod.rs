//! Retrieval on sets of images with captions, in Karpathy's format.

mod captions;
mod flickr8k;
mod forgetting;
mod papers;
mod row;
mod table;

pub(crate) use flickr8k::{Args as Flickr8kArgs, run as flickr8k};
pub(crate) use forgetting::Pacs;
pub(crate) use papers::{Args as PapersArgs, run as papers};
