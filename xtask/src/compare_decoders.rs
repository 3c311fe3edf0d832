//! `cargo xtask compare-decoders`: decodes mutated image files here and with Pillow.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use radapter::images::{DecodeLimits, DecodeOptions, RgbImage, decode_bytes};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::page;

/// Larger images would cost time and show no more.
const MAX_PIXELS: u64 = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Python with Pillow
    #[arg(long, value_name = "FILE")]
    peer: PathBuf,
    /// Number of mutated files
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    files: u64,
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Folder for the files whose pixels differ
    #[arg(long, value_name = "DIR", default_value = "target/compare-decoders")]
    out: PathBuf,
    /// Folder of the docs whose table is written
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
}

/// How the two decoders agree about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Equal,
    /// 16 bits of grey, which Pillow clips to 8.
    ClippedByPillow,
    Differ,
    OnlyHere,
    OnlyPillow,
    Neither,
}

const OUTCOMES: [(Outcome, &str); 6] = [
    (Outcome::Equal, "equal pixels"),
    (Outcome::ClippedByPillow, "16-bit grey, clipped by Pillow"),
    (Outcome::Differ, "other pixels"),
    (Outcome::OnlyHere, "Pillow refuses"),
    (Outcome::OnlyPillow, "ours refuses"),
    (Outcome::Neither, "both refuse"),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let page = args.docs.as_ref().map(|docs| docs.join("reliability.md"));
    page.iter().try_for_each(|page| page::check(page, "compare-decoders"))?;
    let mut files: BTreeMap<&'static str, Vec<Vec<u8>>> = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates/images/tests/fixtures/images"))? {
        let path = entry?.path();
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("jpg") => "JPEG",
            Some("png") => "PNG",
            Some("webp") => "WebP",
            Some("bmp") => "BMP",
            Some("gif") => "GIF",
            Some("tiff") => "TIFF",
            Some("ppm" | "pgm" | "pbm") => "PNM",
            _ => continue,
        };
        files.entry(format).or_default().push(fs::read(&path)?);
    }
    // The order of a folder is the file system's.
    files.values_mut().for_each(|files| files.sort());
    let mut peer = Peer::start(&args.peer, &root.join("xtask/peers/decode.py"))?;
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let mut counts: BTreeMap<(&str, Outcome), u64> = BTreeMap::new();
    fs::create_dir_all(&args.out)?;
    let formats: Vec<&str> = files.keys().copied().collect();
    for number in 0..args.files {
        // Half of the files are JPEGs, whose decoder is this project's.
        let format = if random.random_bool(0.5) { "JPEG" } else { formats[random.random_range(0..formats.len())] };
        let all = &files[format];
        let mut data = all[random.random_range(0..all.len())].clone();
        mutate(&mut data, &all[random.random_range(0..all.len())], &mut random);
        let outcome = compare(&data, &mut peer)?;
        *counts.entry((format, outcome)).or_default() += 1;
        if outcome == Outcome::Differ {
            fs::write(args.out.join(format!("{number:06}-{format}")), &data)?;
        }
    }
    let table = table(&formats, &counts);
    println!("{table}");
    page.iter().try_for_each(|page| page::replace(page, "compare-decoders", &table))
}

/// Changes a file in a few places; `other` is a file of the same format.
fn mutate(data: &mut Vec<u8>, other: &[u8], random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..data.len());
        match random.random_range(0..8) {
            0 | 1 => data[at] = random.random(),
            2 | 3 => data[at] ^= 1 << random.random_range(0..8),
            4 => data[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            5 => drop(data.splice(at..at, [random.random()])),
            6 => {
                let end = data.len().min(at + random.random_range(1..16));
                data.drain(at..end);
            }
            _ => {
                let start = random.random_range(0..other.len());
                let length = random.random_range(1..64).min(other.len() - start).min(data.len() - at);
                data[at..at + length].copy_from_slice(&other[start..start + length]);
            }
        }
        if data.is_empty() {
            data.push(0);
        }
    }
}

fn compare(data: &[u8], peer: &mut Peer) -> anyhow::Result<Outcome> {
    let options = DecodeOptions::from(DecodeLimits { max_pixels: MAX_PIXELS, max_bytes: 1 << 20 });
    let ours = decode_bytes(data, "file", &options).ok();
    Ok(match (ours, peer.decode(data)?) {
        (Some(ours), Some((_, theirs))) if ours == theirs => Outcome::Equal,
        (Some(_), Some((mode, _))) if mode.starts_with("I") => Outcome::ClippedByPillow,
        (Some(_), Some(_)) => Outcome::Differ,
        (Some(_), None) => Outcome::OnlyHere,
        (None, Some(_)) => Outcome::OnlyPillow,
        (None, None) => Outcome::Neither,
    })
}

/// Pillow in another process.
struct Peer(Child);

impl Peer {
    fn start(python: &Path, script: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(python);
        // libtiff prints a line for each damaged file.
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Self(command.spawn().with_context(|| format!("cannot run {command:?}"))?))
    }

    /// The mode and the pixels of a file, `None` if Pillow refuses it.
    fn decode(&mut self, data: &[u8]) -> anyhow::Result<Option<(String, RgbImage)>> {
        let (Some(input), Some(output)) = (&mut self.0.stdin, &mut self.0.stdout) else { bail!("no pipes") };
        input.write_all(&[&(data.len() as u32).to_le_bytes()[..], data].concat())?;
        input.flush()?;
        let mut head = [0; 5];
        output.read_exact(&mut head).context("Pillow's process ended")?;
        let [letter, length @ ..] = head;
        let mut answer = vec![0; u32::from_le_bytes(length) as usize];
        output.read_exact(&mut answer)?;
        if letter != b'=' {
            return Ok(None);
        }
        let Some((mode, rest)) = answer.split_first_chunk::<8>() else { bail!("an answer without a mode") };
        let Some(([w0, w1, w2, w3, h0, h1, h2, h3], pixels)) = rest.split_first_chunk() else { bail!("no size") };
        let (width, height) = (u32::from_le_bytes([*w0, *w1, *w2, *w3]), u32::from_le_bytes([*h0, *h1, *h2, *h3]));
        let image = RgbImage::from_raw(width, height, pixels.to_vec()).context("pixels of another size")?;
        Ok(Some((String::from_utf8_lossy(mode).into_owned(), image)))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn table(formats: &[&str], counts: &BTreeMap<(&str, Outcome), u64>) -> String {
    let names = OUTCOMES.map(|(_, name)| name).join(" | ");
    let mut table = format!("| format | files | {names} |\n|---|---:{}|\n", "|---:".repeat(OUTCOMES.len()));
    for &format in formats {
        let found = OUTCOMES.map(|(outcome, _)| counts.get(&(format, outcome)).copied().unwrap_or(0));
        let cells = found.map(|count| count.to_string()).join(" | ");
        table += &format!("| {format} | {} | {cells} |\n", found.iter().sum::<u64>());
    }
    table
}
