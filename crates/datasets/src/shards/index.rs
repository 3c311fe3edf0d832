//! Scans a shard for its samples and the positions of their images: headers and texts are read, images are skipped.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use radapter_files::io_error;
use radapter_images::Member;
use tar::{Archive, Entry};

use super::sample::{Group, Kind, Rules, ShardSample};
use crate::DatasetError;

const BLOCK: u64 = 512;
/// Maximum length of a text in bytes.
const MAX_TEXT: u64 = 16 << 20;

pub(super) fn read(shard: &Path, rules: &Rules) -> Result<Vec<ShardSample>, DatasetError> {
    let file = File::open(shard).map_err(io_error("read", shard))?;
    let length = file.metadata().map_err(io_error("read", shard))?.len();
    let mut archive = Archive::new(file);
    let mut index = Index { shard, rules, length, end: 0, group: None, last: None, samples: Vec::new() };
    let mut problem = None;
    for entry in archive.entries_with_seek().map_err(io_error("read", shard))? {
        let taken = match entry {
            Ok(mut entry) => index.take(&mut entry)?,
            Err(error) => Err(error.to_string()),
        };
        if let Err(found) = taken {
            problem = Some(found);
            break;
        }
    }
    // Seeking past the end is not an error for the system, and the reader stops at the end of the file.
    if problem.is_none() && length < index.end + BLOCK {
        problem = Some("it ends without the closing block of a tar file".to_owned());
    }
    index.finish(problem)
}

struct Index<'a> {
    shard: &'a Path,
    rules: &'a Rules,
    /// Length of the file in bytes.
    length: u64,
    /// End of the last good member.
    end: u64,
    group: Option<Group>,
    /// Key of the last good sample.
    last: Option<String>,
    samples: Vec<ShardSample>,
}

impl Index<'_> {
    /// Adds a member; the inner error says why the rest of the shard cannot be read.
    fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<Result<(), String>, DatasetError> {
        let kind = entry.header().entry_type();
        if kind.is_gnu_sparse() {
            return Ok(Ok(()));
        }
        let (offset, length) = (entry.raw_file_position(), entry.size());
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let key = if kind.is_file() { split(&name) } else { None };
        if let Some((key, _)) = key
            && self.group.as_ref().is_some_and(|group| group.key != key)
        {
            self.close()?;
        }
        let end = offset.checked_add(length).and_then(|end| end.checked_next_multiple_of(BLOCK));
        let Some(end) = end.filter(|_| offset + length <= self.length) else {
            self.group.take_if(|group| key.is_some_and(|(key, _)| key == group.key));
            let there = self.length.saturating_sub(offset);
            return Ok(Err(format!("the member `{name}` has {length} bytes, of which {there} are present")));
        };
        let Some((key, extension)) = key else {
            self.end = end;
            return Ok(Ok(()));
        };
        let group = self.group.get_or_insert_with(|| Group::new(key, offset));
        match Kind::of(extension) {
            Some(Kind::Image) => {
                let file = self.shard.to_owned();
                group.image(Member { file, offset, length, name: name.clone() });
            }
            Some(text) if length <= MAX_TEXT => match content(entry) {
                Ok(bytes) => group.text(text, bytes, &name),
                Err(error) => {
                    self.group = None;
                    return Ok(Err(format!("the member `{name}` cannot be read: {error}")));
                }
            },
            Some(_) => group.spoil(format!("`{name}` has {length} bytes; expected at most {MAX_TEXT} for a text")),
            None => {}
        }
        group.extension(extension, &name);
        self.end = end;
        Ok(Ok(()))
    }

    /// Ends the current sample.
    fn close(&mut self) -> Result<(), DatasetError> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let key = group.key.clone();
        let sample = group.sample(self.shard, self.rules);
        if let Some(sample) = self.rules.settle(self.shard, &key, sample)? {
            self.last = Some(key);
            self.samples.push(sample);
        }
        Ok(())
    }

    /// Returns the samples, those before the break if there is one.
    fn finish(mut self, problem: Option<String>) -> Result<Vec<ShardSample>, DatasetError> {
        // A sample that is incomplete at the break is lost with the rest.
        if problem.is_none() || self.group.as_ref().is_some_and(Group::is_whole) {
            self.close()?;
        }
        if let Some(problem) = problem {
            let Self { shard, end: offset, last, .. } = self;
            let last =
                last.map_or_else(|| "before the first sample".to_owned(), |key| format!("after the sample `{key}`"));
            let error = DatasetError::about(
                shard,
                format!(
                    "is broken at byte {offset}, {last}: {problem}; copy or create it again, or skip damaged samples to use \
                     those before it"
                ),
            );
            let name = shard.display().to_string();
            self.rules.on_error.settle(&name, Err::<(), _>(error), &self.rules.report)?;
        }
        Ok(self.samples)
    }
}

fn content<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < entry.size() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Splits a member's path into key and extension, as webdataset does; `None` for paths that it ignores.
fn split(path: &str) -> Option<(&str, &str)> {
    let base = path.rfind('/').map_or(0, |slash| slash + 1);
    let first = path.split('/').next().unwrap_or_default();
    let dot = base + path[base..].find('.')?;
    let is_meta = first.len() > 4 && first.starts_with("__") && first.ends_with("__");
    (dot > base && !is_meta).then(|| (&path[..dot], &path[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_the_first_dot_of_the_base_name() {
        for (path, expected) in [
            ("0001.jpg", Some(("0001", "jpg"))),
            ("a.b/0001.seg.png", Some(("a.b/0001", "seg.png"))),
            ("./0001.txt", Some(("./0001", "txt"))),
            ("no-extension", None),
            ("a/.hidden.jpg", None),
            ("__index__/0.jpg", None),
            ("__key.jpg", Some(("__key", "jpg"))),
        ] {
            assert_eq!(split(path), expected, "{path}");
        }
    }
}
