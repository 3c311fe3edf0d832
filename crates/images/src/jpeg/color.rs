//! Detects the colour space and converts samples to RGB.

use std::sync::LazyLock;

use super::frame::Frame;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColorSpace {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// What the application segments say about the colour space.
#[derive(Default)]
pub(super) struct Hints {
    jfif: bool,
    /// The transform code of Adobe's segment.
    adobe: Option<u8>,
}

impl Hints {
    pub(super) fn read_app0(&mut self, segment: &[u8]) {
        self.jfif |= segment.starts_with(b"JFIF\0") && segment.len() >= 14;
    }

    pub(super) fn read_app14(&mut self, segment: &[u8]) {
        if segment.starts_with(b"Adobe") && segment.len() >= 12 {
            self.adobe = Some(segment[11]);
        }
    }

    /// Chooses the colour space by libjpeg's rules.
    pub(super) fn color_space(&self, frame: &Frame) -> ColorSpace {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        match (ids.as_slice(), self.adobe) {
            ([_], _) => ColorSpace::Grey,
            ([_, _, _], _) if self.jfif => ColorSpace::YCbCr,
            ([_, _, _], Some(0)) => ColorSpace::Rgb,
            ([b'R', b'G', b'B'], None) => ColorSpace::Rgb,
            ([_, _, _], _) => ColorSpace::YCbCr,
            (_, None | Some(0)) => ColorSpace::Cmyk,
            (_, Some(_)) => ColorSpace::Ycck,
        }
    }
}

impl ColorSpace {
    /// Converts a row. Each component's row has at least the image's width.
    pub(super) fn convert(self, rows: &[Vec<u8>], out: &mut [u8]) {
        let pixels = out.chunks_exact_mut(3);
        match (self, rows) {
            (Self::Grey, [grey, ..]) => {
                for (pixel, grey) in pixels.zip(grey) {
                    pixel.fill(*grey);
                }
            }
            (Self::Rgb, [r, g, b, ..]) => {
                for (((pixel, r), g), b) in pixels.zip(r).zip(g).zip(b) {
                    pixel.copy_from_slice(&[*r, *g, *b]);
                }
            }
            (Self::YCbCr, [y, cb, cr, ..]) => {
                let chroma = &*CHROMA;
                for (((pixel, y), cb), cr) in pixels.zip(y).zip(cb).zip(cr) {
                    pixel.copy_from_slice(&chroma.rgb(*y, *cb, *cr));
                }
            }
            (Self::Cmyk, [c, m, y, k]) => {
                for ((((pixel, c), m), y), k) in pixels.zip(c).zip(m).zip(y).zip(k) {
                    pixel.copy_from_slice(&[*c, *m, *y].map(|ink| print(ink, *k)));
                }
            }
            (Self::Ycck, [y, cb, cr, k]) => {
                let chroma = &*CHROMA;
                for ((((pixel, y), cb), cr), k) in pixels.zip(y).zip(cb).zip(cr).zip(k) {
                    // The first three components are the inverse of C, M and Y, as YCbCr.
                    pixel.copy_from_slice(&chroma.rgb(*y, *cb, *cr).map(|inverse| print(255 - inverse, *k)));
                }
            }
            // Unreachable: the colour space was chosen by the number of components.
            _ => {}
        }
    }
}

/// Pillow's conversion from CMYK to RGB, `(255 − ink) · (255 − black) / 255`. Both values are inverted in the file, as
/// Adobe writes them, and Pillow assumes so for every file.
fn print(ink: u8, black: u8) -> u8 {
    let white = u32::from(black);
    let product = u32::from(255 - ink) * white + 128;
    // Division by 255 with rounding.
    let covered = ((product >> 8) + product) >> 8;
    (white - covered.min(white)) as u8
}

/// The contributions of the chroma components by ITU-R BT.601 (JFIF). Green's two have 16 bits after the binary point,
/// as they are added before rounding.
struct Chroma {
    cr_to_r: [i32; 256],
    cb_to_b: [i32; 256],
    cr_to_g: [i32; 256],
    cb_to_g: [i32; 256],
}

static CHROMA: LazyLock<Chroma> = LazyLock::new(|| {
    const HALF: i32 = 1 << 15;
    let table = |entry: fn(i32) -> i32| std::array::from_fn(|byte| entry(byte as i32 - 128));
    Chroma {
        // 1.402, 1.772, 0.71414 and 0.34414.
        cr_to_r: table(|x| (91_881 * x + HALF) >> 16),
        cb_to_b: table(|x| (116_130 * x + HALF) >> 16),
        cr_to_g: table(|x| -46_802 * x),
        cb_to_g: table(|x| -22_554 * x + HALF),
    }
});

impl Chroma {
    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (y, cb, cr) = (i32::from(y), usize::from(cb), usize::from(cr));
        let g = (self.cb_to_g[cb] + self.cr_to_g[cr]) >> 16;
        [y + self.cr_to_r[cr], y + g, y + self.cb_to_b[cb]].map(|value| value.clamp(0, 255) as u8)
    }
}
