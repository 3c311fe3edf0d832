//! Tar shards in temporary folders.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod broken;
mod finding;
mod order;
mod samples;

use super::*;

struct Folder {
    folder: tempfile::TempDir,
    report: SkipReport,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), report: SkipReport::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a shard of these members. An empty image content is replaced by an image.
    fn write(&self, name: &str, members: &[(&str, &[u8])]) -> PathBuf {
        self.write_with(name, members, tar::Header::new_gnu())
    }

    fn write_with(&self, name: &str, members: &[(&str, &[u8])], header: tar::Header) -> PathBuf {
        let mut tar = tar::Builder::new(Vec::new());
        for &(path, content) in members {
            let picture = if content.is_empty() && !path.ends_with("txt") { png(path) } else { content.to_vec() };
            let mut header = header.clone();
            header.set_size(picture.len() as u64);
            header.set_mode(0o644);
            header.set_entry_type(tar::EntryType::Regular);
            tar.append_data(&mut header, path, &picture[..]).unwrap();
        }
        let path = self.path(name);
        std::fs::write(&path, tar.into_inner().unwrap()).unwrap();
        path
    }

    /// Writes a shard of `count` samples whose keys start with its name.
    fn plain(&self, name: &str, count: usize) -> PathBuf {
        let keys: Vec<String> = (0..count).map(|at| format!("{name}-{at}")).collect();
        let names = keys.iter().map(|key| (format!("{key}.png"), format!("{key}.txt"), format!("caption of {key}\n")));
        let names: Vec<_> = names.collect();
        let members =
            names.iter().flat_map(|(image, text, caption)| [(&image[..], &b""[..]), (text, caption.as_bytes())]);
        self.write(&format!("{name}.tar"), &members.collect::<Vec<_>>())
    }

    fn open(&self, pattern: &str) -> Result<Shards, DatasetError> {
        Shards::open(&self.path(pattern), OnError::Fail, &self.report, None)
    }

    fn skipping(&self, pattern: &str) -> Shards {
        Shards::open(&self.path(pattern), OnError::Skip, &self.report, None).unwrap()
    }

    fn skipped(&self) -> Vec<String> {
        self.report.entries().into_iter().map(|entry| entry.name).collect()
    }
}

/// Encodes an image whose first pixel is a function of the name.
fn png(name: &str) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(4, 4, image::Rgb([colour(name), 0, 255]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn colour(name: &str) -> u8 {
    name.bytes().fold(0, u8::wrapping_add)
}

fn keys(samples: &[ShardSample]) -> Vec<&str> {
    samples.iter().map(|sample| &sample.key[..]).collect()
}

fn assert_says(error: &DatasetError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}
