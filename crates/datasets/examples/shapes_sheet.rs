//! Draws a contact sheet of the shapes world: one row per class, a few columns per domain.
//!
//!     cargo run --release -p radapter-datasets --example shapes_sheet -- [OUT.png [SIZE [several]]]

use std::time::Instant;

use image::{RgbImage, imageops};
use radapter_datasets::shapes::{Domain, Shape, Split, World};

const REPEATS: u64 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().unwrap_or_else(|| "shapes.png".to_owned());
    let size: u32 = arguments.next().map_or(Ok(64), |size| size.parse())?;
    let several = arguments.next().is_some();
    let world = World { size: size as usize, ..World::new(1) };
    let rows = if several { 8 } else { Shape::ALL.len() as u64 };
    let columns = Domain::ALL.len() as u64 * REPEATS;
    let pitch = i64::from(size) + 4;
    let mut sheet =
        RgbImage::from_pixel((columns as i64 * pitch) as u32, (rows as i64 * pitch) as u32, image::Rgb([255; 3]));
    for (column, domain) in Domain::ALL.into_iter().enumerate() {
        let start = Instant::now();
        for row in 0..rows {
            for repeat in 0..REPEATS {
                let index = row + repeat * rows;
                let scene = if several {
                    world.composition(Split::Test, domain, index)
                } else {
                    world.scene(Split::Test, domain, index)
                };
                let x = (column as u64 * REPEATS + repeat) as i64 * pitch;
                imageops::replace(&mut sheet, &scene.image, x, row as i64 * pitch);
                if row == 0 && repeat == 0 {
                    eprintln!("{}", scene.captions.join(" | "));
                }
            }
        }
        let scenes = (rows * REPEATS) as f64;
        eprintln!("{}: {:.0} scenes a second", domain.name(), scenes / start.elapsed().as_secs_f64());
    }
    sheet.save(&out)?;
    eprintln!("{out}");
    Ok(())
}
