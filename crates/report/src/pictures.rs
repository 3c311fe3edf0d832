//! Images on a page: with predictions, found by a search, and segmented.

use base64::Engine as _;

use crate::Link;
use crate::page::{Page, escape};

/// An image with predictions.
#[derive(Clone, Debug)]
pub struct ImageCard {
    /// The image as a PNG file.
    pub png: Vec<u8>,
    /// Caption, such as the true class.
    pub caption: String,
    /// Predictions: the model, its answer, and whether that is correct.
    pub predictions: Vec<(String, String, bool)>,
}

/// An image found by a search.
#[derive(Clone, Debug)]
pub struct FoundImage {
    /// A thumbnail as a PNG file; `None` if the image could not be read.
    pub png: Option<Vec<u8>>,
    /// The file that the thumbnail links to.
    pub link: Option<Link>,
    /// Line under the note, such as the file's name.
    pub title: String,
    /// Emphasised line under the image, such as rank and score.
    pub note: String,
}

/// A class and its colour.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "`name` needs no text")]
pub struct Swatch {
    pub name: String,
    /// Red, green, blue.
    pub colour: [u8; 3],
}

/// Several versions of an image side by side, such as an image and its overlay.
#[derive(Clone, Debug)]
pub struct Panels {
    /// Caption.
    pub title: String,
    /// The versions.
    pub panels: Vec<Panel>,
    /// Classes of the image and their share of it, already formatted.
    pub classes: Vec<(Swatch, String)>,
}

/// A version of an image.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Text above the image.
    pub header: String,
    /// The image, or a thumbnail of it, as a PNG file.
    pub png: Vec<u8>,
    /// The full image.
    pub link: Option<Link>,
    /// Texts on the image, such as the names of regions.
    pub labels: Vec<ImageLabel>,
}

/// A text on an image.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "`text` needs no text")]
pub struct ImageLabel {
    pub text: String,
    /// Centre from the left and from the top, as fractions of the image's size.
    pub at: (f64, f64),
}

/// An image in the page itself; `alt` is escaped here.
fn picture(png: &[u8], alt: &str) -> String {
    let data = base64::engine::general_purpose::STANDARD.encode(png);
    format!("<img alt=\"{}\" src=\"data:image/png;base64,{data}\">", escape(alt))
}

fn linked(inner: String, link: Option<&Link>) -> String {
    match link {
        Some(link) => format!("<a href=\"{}\">{inner}</a>", link.url()),
        None => inner,
    }
}

fn swatch(Swatch { name, colour: [red, green, blue] }: &Swatch) -> String {
    format!("<i class=\"swatch\" style=\"background:#{red:02x}{green:02x}{blue:02x}\"></i>{}", escape(name))
}

impl Page {
    /// Adds images with predictions.
    pub fn images(&mut self, images: &[ImageCard]) {
        self.push("<div class=\"images\">");
        for ImageCard { png, caption, predictions } in images {
            let image = picture(png, caption);
            self.push(&format!("<figure>{image}<figcaption><b>{}</b>", escape(caption)));
            for (who, what, right) in predictions {
                let (class, sign) = if *right { ("right", "\u{2713}") } else { ("wrong", "\u{2717}") };
                let (who, what) = (escape(who), escape(what));
                self.push(&format!(
                    "<span class=\"answer\"><em>{who}</em><i class=\"{class}\">{sign} {what}</i></span>"
                ));
            }
            self.push("</figcaption></figure>\n");
        }
        self.push("</div>\n");
    }

    /// Adds images found by a search, uncropped and linked to their files.
    pub fn found(&mut self, images: &[FoundImage]) {
        self.push("<div class=\"images found\">");
        for FoundImage { png, link, title, note } in images {
            let image = png.as_ref().map_or("<em>cannot be read</em>".to_owned(), |png| picture(png, title));
            let image = linked(image, link.as_ref());
            let (title, note) = (escape(title), escape(note));
            self.push(&format!("<figure>{image}<figcaption><b>{note}</b><span>{title}</span></figcaption></figure>\n"));
        }
        self.push("</div>\n");
    }

    /// Adds a legend of colours.
    pub fn legend(&mut self, swatches: &[Swatch]) {
        self.push("<ul class=\"legend\">");
        for entry in swatches {
            self.push(&format!("<li>{}</li>", swatch(entry)));
        }
        self.push("</ul>\n");
    }

    /// Adds images of which each has several versions side by side.
    pub fn panels(&mut self, images: &[Panels]) {
        let many = if images.iter().any(|image| image.panels.len() > 2) { " many" } else { "" };
        self.push(&format!("<div class=\"images panels{many}\">"));
        for Panels { title, panels, classes } in images {
            self.push("<figure><div class=\"row\">");
            for Panel { header, png, link, labels } in panels {
                let mut image = linked(picture(png, &format!("{title}: {header}")), link.as_ref());
                for ImageLabel { text, at: (x, y) } in labels {
                    let (left, top) = (100.0 * x, 100.0 * y);
                    image += &format!("<span style=\"left:{left:.1}%;top:{top:.1}%\">{}</span>", escape(text));
                }
                self.push(&format!("<div><b>{}</b><div class=\"panel\">{image}</div></div>", escape(header)));
            }
            self.push(&format!("</div><figcaption><b>{}</b>", escape(title)));
            for (class, share) in classes {
                self.push(&format!("<span class=\"class\">{} <em>{}</em></span>", swatch(class), escape(share)));
            }
            self.push("</figcaption></figure>\n");
        }
        self.push("</div>\n");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nothing_of_the_user_becomes_markup() {
        for evil in ["<img src=x onerror=alert(1)>", "</script><script>alert('x')</script>", "\" onload=\"alert(1)"] {
            let link = Link::between(Path::new("page.html"), Path::new(evil));
            let swatch = Swatch { name: evil.to_owned(), colour: [0, 128, 255] };
            let mut page = Page::new("a", "b");
            page.images(&[ImageCard {
                png: vec![],
                caption: evil.into(),
                predictions: vec![(evil.into(), evil.into(), true)],
            }]);
            page.found(&[FoundImage { png: None, link: link.clone(), title: evil.into(), note: evil.into() }]);
            page.legend(std::slice::from_ref(&swatch));
            let label = ImageLabel { text: evil.into(), at: (0.5, 0.5) };
            page.panels(&[Panels {
                title: evil.into(),
                panels: vec![Panel { header: evil.into(), png: vec![], link, labels: vec![label] }],
                classes: vec![(swatch, evil.into())],
            }]);
            let html = page.finish();
            assert!(!html.contains(evil) && !html.contains("<script") && !html.contains("<img src=x"), "{html}");
            assert!(html.contains(&escape(evil)) && html.contains("#0080ff"), "{html}");
        }
    }
}
