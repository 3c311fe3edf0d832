//! Segmented images on a page: legend, overlays, strips.

use base64::Engine as _;

use crate::page::{Page, escape};

/// A class and its colour.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "`name` needs no text")]
pub struct Swatch {
    pub name: String,
    /// Red, green, blue.
    pub colour: [u8; 3],
}

/// An image overlaid with the colours of its labels.
#[derive(Clone, Debug)]
pub struct SegmentedImage {
    /// A thumbnail as a PNG file.
    pub png: Vec<u8>,
    /// Path of the full image relative to the page, if there is one.
    pub link: Option<String>,
    /// Caption.
    pub title: String,
    /// Its classes and their share of the image, already formatted.
    pub classes: Vec<(Swatch, String)>,
}

fn swatch(Swatch { name, colour: [red, green, blue] }: &Swatch) -> String {
    format!("<i class=\"swatch\" style=\"background:#{red:02x}{green:02x}{blue:02x}\"></i>{}", escape(name))
}

/// Percent-encodes a path relative to the page.
fn relative_url(path: &str) -> String {
    let mut url = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}

impl Page {
    /// Adds a legend of colours.
    pub fn legend(&mut self, swatches: &[Swatch]) {
        self.push("<ul class=\"legend\">");
        for entry in swatches {
            self.push(&format!("<li>{}</li>", swatch(entry)));
        }
        self.push("</ul>\n");
    }

    /// Adds images overlaid with the colours of their labels.
    pub fn segmented(&mut self, images: &[SegmentedImage]) {
        self.labelled("images segmented", images);
    }

    /// Adds wide images that show several versions of a scene side by side.
    pub fn strips(&mut self, images: &[SegmentedImage]) {
        self.labelled("images strips", images);
    }

    fn labelled(&mut self, class: &str, images: &[SegmentedImage]) {
        self.push(&format!("<div class=\"{class}\">"));
        for SegmentedImage { png, link, title, classes } in images {
            let data = base64::engine::general_purpose::STANDARD.encode(png);
            let title = escape(title);
            let mut image = format!("<img alt=\"{title}\" src=\"data:image/png;base64,{data}\">");
            if let Some(link) = link {
                image = format!("<a href=\"{}\">{image}</a>", relative_url(link));
            }
            self.push(&format!("<figure>{image}<figcaption><b>{title}</b>"));
            for (class, share) in classes {
                self.push(&format!("<span>{} <em>{}</em></span>", swatch(class), escape(share)));
            }
            self.push("</figcaption></figure>\n");
        }
        self.push("</div>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_user_becomes_markup() {
        let evil = "<script>\"'".to_owned();
        let swatch = Swatch { name: evil.clone(), colour: [0, 128, 255] };
        let mut page = Page::new("a", "b");
        page.legend(std::slice::from_ref(&swatch));
        page.segmented(&[SegmentedImage {
            png: vec![],
            link: Some(evil.clone()),
            title: evil.clone(),
            classes: vec![(swatch, evil)],
        }]);
        let html = page.finish();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("href=\"%3Cscript%3E%22%27\"") && html.contains("#0080ff"), "{html}");
    }
}
