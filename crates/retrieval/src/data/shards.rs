//! Pairs of tar shards, read sequentially and shuffled in a buffer.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use radapter_datasets::DatasetError;
use radapter_datasets::fingerprint::Fingerprint;
use radapter_datasets::seed::{self, Draw};
use radapter_datasets::shards::{Grouped, Part, ShardSample, Shards};
use radapter_images::ImageSource;
use radapter_training::{DataError, SampleKey, SampleOrder};
use sha2::{Digest, Sha256};

use super::pairs::drawn;
use super::{Pair, Pairs};
use crate::config;

/// Bits of an index for the caption, and for the sample's position in its shard; the rest are for the shard.
const CAPTION_BITS: u32 = 12;
const POSITION_BITS: u32 = 30;

/// Pairs of tar shards.
///
/// An epoch reads the shards one after another, in an order that depends on (seed, epoch), and draws from a buffer of the next
/// pairs, so that large sets are read sequentially.
#[derive(Clone, Debug)]
pub(crate) struct ShardPairs {
    shards: Shards,
    which: config::Pairs,
    buffer: usize,
    /// Totals over all samples, if the shards were scanned.
    known: Option<Arc<Known>>,
    len: usize,
}

/// Results of a scan.
#[derive(Debug)]
struct Known {
    grouped: Grouped,
    /// Places of the images held out for validation.
    held_out: HashSet<usize>,
}

impl ShardPairs {
    /// Creates the pairs of scanned shards, without the images held out.
    pub(crate) fn scanned(
        shards: Shards,
        grouped: Grouped,
        which: config::Pairs,
        buffer: usize,
        held_out: HashSet<usize>,
    ) -> Self {
        let known = Known { grouped, held_out };
        let parts = known.grouped.samples.iter().flatten();
        let len = parts.map(|part| known.pairs(*part, which)).sum();
        Self { shards, which, buffer, known: Some(Arc::new(known)), len }
    }

    /// Creates epochs of a given number of pairs: smaller sets are read repeatedly. Each sample has its own captions.
    pub(crate) fn of_len(shards: Shards, which: config::Pairs, buffer: usize, len: usize) -> Self {
        Self { shards, which, buffer, known: None, len }
    }

    /// Iterates over the pairs of one pass over the shards, shard by shard.
    fn pass(&self, seed: u64, pass: u64) -> impl Iterator<Item = Result<usize, DatasetError>> + Send + use<> {
        let this = self.clone();
        // The shard that is being read, and the first position of each of its keys.
        let mut first = (usize::MAX, HashMap::new());
        self.shards.order(seed, pass, 1).flat_map(move |place| {
            let pairs = place.and_then(|(shard, position)| {
                if first.0 != shard {
                    first = (shard, HashMap::new());
                }
                this.pairs_of(shard, position, &mut first.1)
            });
            match pairs {
                Ok(indices) => indices.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        })
    }

    fn pairs_of(
        &self,
        shard: usize,
        position: usize,
        first_of_key: &mut HashMap<String, usize>,
    ) -> Result<Vec<usize>, DatasetError> {
        let count = match &self.known {
            Some(known) => known.pairs(known.grouped.samples[shard][position], self.which),
            None => {
                let samples = self.shards.shard(shard)?;
                let sample = &samples[position];
                let first = *first_of_key.entry(sample.key.clone()).or_insert(position);
                if first != position && !self.shards.is_image_of(shard, sample, &samples[first])? {
                    return Ok(Vec::new());
                }
                if self.which == config::Pairs::One { 1 } else { sample.captions.len().min(1 << CAPTION_BITS) }
            }
        };
        Ok((0..count).map(|caption| index(shard, position, caption)).collect())
    }
}

impl Known {
    /// Returns the number of pairs of a sample.
    fn pairs(&self, part: Option<Part>, which: config::Pairs) -> usize {
        match part {
            None => 0,
            Some(part) if self.held_out.contains(&part.image) => 0,
            Some(part) if which == config::Pairs::All => part.captions.min(1 << CAPTION_BITS),
            // One for each image: that of its first sample.
            Some(part) => usize::from(part.first == 0),
        }
    }
}

fn index(shard: usize, position: usize, caption: usize) -> usize {
    (shard << POSITION_BITS | position) << CAPTION_BITS | caption
}

fn place(index: usize) -> (usize, usize, usize) {
    let (caption, rest) = (index & ((1 << CAPTION_BITS) - 1), index >> CAPTION_BITS);
    (rest >> POSITION_BITS, rest & ((1 << POSITION_BITS) - 1), caption)
}

impl Pairs for ShardPairs {
    fn len(&self) -> usize {
        self.len
    }

    fn order(&self, seed: u64, epoch: u64) -> SampleOrder {
        Box::new(Order {
            pairs: self.clone(),
            seed,
            epoch,
            pass: 0,
            current: Box::new(self.pass(seed, pass_seed(epoch, 0))),
            of_pass: 0,
            waiting: Vec::new(),
            rng: seed::rng("pair-buffer", &[seed, epoch]),
            left: self.len,
        })
    }

    fn pair(&self, key: SampleKey) -> Result<Pair, DataError> {
        let (shard, position, caption) = place(key.index);
        let samples = self.shards.shard(shard)?;
        let sample = &samples[position];
        let (name, captions, label) = match &self.known {
            Some(known) => {
                let part = known.grouped.samples[shard][position].ok_or(NoPairs)?;
                let image = &known.grouped.images.images[part.image];
                (image.name.clone(), &image.captions[part.first..], part.image as i64)
            }
            None => {
                let name = self.shards.full_name(shard, &sample.key);
                // An image that cannot be read here fails when it is loaded, and no other has its name.
                let label = label(sample).unwrap_or_else(|_| number(Sha256::new_with_prefix(&name)));
                (name, &sample.captions[..], label)
            }
        };
        let caption = match self.which {
            config::Pairs::All => caption,
            config::Pairs::One => drawn(key, captions.len()),
        };
        Ok(Pair { name, image: sample.image.clone(), caption: captions[caption].clone(), label })
    }

    fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for file in self.shards.files() {
            // The shards may move, but must have the same content.
            fingerprint.text(&file.file_name().unwrap_or_default().to_string_lossy());
            fingerprint.file_size(file);
        }
        format!("{} shards, {} pairs, {}", self.shards.files().len(), self.len, fingerprint.finish())
    }
}

/// Returns the seed of a pass in the shards' order: the epoch for the first, so that passes of all epochs differ.
fn pass_seed(epoch: u64, pass: u64) -> u64 {
    epoch | pass << 40
}

/// Returns a number that the samples of an image share, in whichever shard they are: a part of the hash of key and content, so that
/// no list of images is needed.
fn label(sample: &ShardSample) -> io::Result<i64> {
    // The length separates the key from the content.
    let mut hash = Sha256::new_with_prefix((sample.key.len() as u64).to_le_bytes());
    hash.update(&sample.key);
    if let ImageSource::Member(member) = &sample.image {
        io::copy(&mut member.content().map_err(io::Error::other)?, &mut hash)?;
    }
    Ok(number(hash))
}

fn number(hash: Sha256) -> i64 {
    let digest = hash.finalize();
    let bytes = [digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]];
    i64::from_le_bytes(bytes) & i64::MAX
}

/// A whole pass has no pair.
#[derive(Debug, thiserror::Error)]
#[error("the shards have no pair to train on")]
struct NoPairs;

/// Order of an epoch: a buffer over as many passes as needed.
struct Order {
    pairs: ShardPairs,
    seed: u64,
    epoch: u64,
    pass: u64,
    current: Box<dyn Iterator<Item = Result<usize, DatasetError>> + Send>,
    /// Pairs of the current pass so far.
    of_pass: usize,
    waiting: Vec<usize>,
    rng: rand_chacha::ChaCha8Rng,
    left: usize,
}

impl Order {
    /// Returns the next pair in the shards' order.
    fn pull(&mut self) -> Result<usize, DataError> {
        loop {
            if let Some(pair) = self.current.next() {
                self.of_pass += 1;
                return Ok(pair?);
            }
            if self.of_pass == 0 {
                return Err(NoPairs.into());
            }
            self.pass += 1;
            self.of_pass = 0;
            self.current = Box::new(self.pairs.pass(self.seed, pass_seed(self.epoch, self.pass)));
        }
    }
}

impl Iterator for Order {
    type Item = Result<usize, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        // No more than the epoch needs: nothing after its end is read.
        while self.waiting.len() < self.pairs.buffer.min(self.left) {
            match self.pull() {
                Ok(pair) => self.waiting.push(pair),
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            }
        }
        self.left -= 1;
        let drawn = self.rng.below(self.waiting.len());
        Some(Ok(self.waiting.swap_remove(drawn)))
    }
}
