//! Reports to look at: self-contained HTML pages (no script, nothing fetched) with SVG charts.
//!
//! [`Page`] knows how a page looks, [`Chart`] how a chart does; what a page says is written by whoever measured it.

mod chart;
mod frontier;
mod page;
mod segmented;
mod strip;
mod training;

pub use chart::{Chart, Mark, Scale, Series};
pub use frontier::{Frontier, FrontierPoint};
pub use page::{FoundImage, ImageCard, Page, escape};
pub use segmented::{SegmentedImage, Swatch};
pub use strip::{beside, painted};
pub use training::training_report;
