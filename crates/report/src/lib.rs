//! Reports: self-contained HTML pages (no script, nothing loaded from elsewhere) with SVG charts, and tables for the terminal.
//!
//! [`Page`] and [`Chart`] define the appearance; the caller supplies the contents.
//!
//! ```
//! use radapter_report::{Chart, Mark, Page, Scale, Series, percent};
//!
//! # fn main() -> Result<(), radapter_report::ReportError> {
//! let points = vec![(0.0, 0.62), (0.5, 0.71), (1.0, 0.69)];
//! let chart = Chart {
//!     title: "Accuracy over alpha".to_owned(),
//!     x: ("alpha".to_owned(), Scale::Plain),
//!     y: (String::new(), Scale::Percent),
//!     series: vec![Series::new("photo", 0, Mark::Dots, points)],
//! };
//! let mut page = Page::new("Sweep", "A run evaluated at three values of alpha.");
//! page.facts(&[("best", percent(0.71))]);
//! page.section("Chart");
//! page.charts(&[chart.svg()?]);
//! assert!(page.finish().contains("71.0 %"));
//! # Ok(())
//! # }
//! ```
//!
//! | module | |
//! |---|---|
//! | `page`, `segmented` | HTML pages: facts, tables, charts, images, label maps |
//! | `chart`, `frontier` | SVG charts: lines and points; in-distribution against out-of-distribution results |
//! | `training` | the report of a training run |
//! | `label_maps` | label maps as images, images side by side |
//! | `table`, `numbers`, `settings` | text tables; numbers and settings as text |

mod chart;
mod error;
mod frontier;
mod label_maps;
mod numbers;
mod page;
mod segmented;
mod settings;
mod table;
mod training;

pub use chart::{Chart, Mark, Scale, Series};
pub use error::ReportError;
pub use frontier::{Frontier, FrontierPoint};
pub use label_maps::{paint_labels, side_by_side};
pub use numbers::{duration, grouped, percent};
pub use page::{FoundImage, ImageCard, Page, escape};
pub use segmented::{SegmentedImage, Swatch};
pub use settings::dotted;
pub use table::Table;
pub use training::training_report;
