//! Treatment of damaged samples: stop, or skip and report them; and of damaged JPEGs: the same, or use what libjpeg recovers.
//!
//! Skipping never moves other samples: a batch with a damaged sample is **one smaller**, and all other batches stay as they are.
//! Batches therefore remain a function of seed and epoch, whichever files are damaged: one more lost file changes only its own
//! batches.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::identity;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use radapter_images::{ImageError, RgbImage};
use serde::{Deserialize, Serialize};

/// Treatment of damaged samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The first damaged sample is an error.
    #[default]
    Fail,
    /// Damaged samples are skipped and reported.
    Skip,
}

impl OnError {
    /// Returns the sample, or `None` after reporting one that is skipped.
    ///
    /// # Errors
    /// The sample's own error, under [`OnError::Fail`].
    pub fn settle<T, E: Display>(self, name: &str, result: Result<T, E>, report: &SkipReport) -> Result<Option<T>, E> {
        match (result, self) {
            (Ok(sample), _) => Ok(Some(sample)),
            (Err(error), Self::Fail) => Err(error),
            (Err(error), Self::Skip) => {
                report.record(name, &error);
                Ok(None)
            }
        }
    }

    /// Returns the image, or `None` after reporting one that is skipped. [`OnDamage`] decides first about one that is damaged.
    ///
    /// # Errors
    /// The image's own error, under [`OnError::Fail`].
    pub fn settle_image(
        self,
        on_damage: OnDamage,
        name: &str,
        image: Result<Arc<RgbImage>, ImageError>,
        report: &SkipReport,
    ) -> Result<Option<Arc<RgbImage>>, ImageError> {
        self.settle(name, on_damage.recover(name, image, report, identity), report)
    }
}

impl std::str::FromStr for OnError {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            other => Err(format!("expected `fail` or `skip`, found `{other}`")),
        }
    }
}

/// Treatment of damaged JPEGs that libjpeg, and so Pillow, decodes with a warning; the setting `on_damage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDamage {
    /// Such an image is one that cannot be read: [`OnError`] decides about it.
    #[default]
    Refuse,
    /// The pixels that libjpeg recovers are used, and the image is reported.
    Decode,
}

impl OnDamage {
    /// Returns `then` of the recovered pixels of a damaged image, under [`OnDamage::Decode`], after reporting it. Any other result is
    /// returned unchanged.
    ///
    /// Recovered pixels come from an error and never pass through a pixel cache: each run reports them anew, and none that refuses
    /// damaged images finds them there.
    ///
    /// # Errors
    /// The image's own error.
    pub fn recover<T>(
        self,
        name: &str,
        result: Result<T, ImageError>,
        report: &SkipReport,
        then: impl FnOnce(Arc<RgbImage>) -> T,
    ) -> Result<T, ImageError> {
        match (result, self) {
            (Err(ImageError::Damaged { error, image }), Self::Decode) => {
                report.record_damaged(name, &error);
                Ok(then(image.into_image()))
            }
            (result, _) => result,
        }
    }
}

impl std::str::FromStr for OnDamage {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "refuse" => Ok(Self::Refuse),
            "decode" => Ok(Self::Decode),
            other => Err(format!("expected `refuse` or `decode`, found `{other}`")),
        }
    }
}

/// Number of damaged images that are named in warnings.
const NAMED_DAMAGED: usize = 5;

/// Skipped sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Name in reports.
    pub name: String,
    /// The error, the first time.
    pub reason: String,
    /// How often it was skipped, usually once per epoch.
    pub times: usize,
}

/// Collector of skipped samples, and of damaged images that were used. Clones share one list, so that worker threads can add to it.
#[derive(Clone, Debug, Default)]
pub struct SkipReport {
    skipped: Arc<Mutex<BTreeMap<String, (String, usize)>>>,
    damaged: Arc<Mutex<BTreeSet<String>>>,
}

impl SkipReport {
    /// Adds a sample, and logs it the first time.
    pub fn record(&self, name: &str, reason: &impl Display) {
        let mut skipped = self.lock();
        if let Some((_, times)) = skipped.get_mut(name) {
            *times += 1;
            return;
        }
        let reason = reason.to_string();
        tracing::warn!("skipped {}", placed(name, &reason));
        skipped.insert(name.to_owned(), (reason, 1));
    }

    /// Adds a damaged image that is used nevertheless. The first time it is logged: the first few by name, later ones by their number
    /// so far at each power of ten.
    pub fn record_damaged(&self, name: &str, reason: &impl Display) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if damaged.insert(name.to_owned()) {
            let (count, reason) = (damaged.len(), placed(name, &reason.to_string()));
            match count {
                ..=NAMED_DAMAGED => tracing::warn!("used as libjpeg decodes it: {reason}"),
                _ => tracing::debug!("used as libjpeg decodes it: {reason}"),
            }
            if count > NAMED_DAMAGED && 10_usize.pow(count.ilog10()) == count {
                tracing::warn!("{count} damaged images so far are used as libjpeg decodes them (-v names each)");
            }
        }
    }

    /// Returns the names of the damaged images that were used, sorted.
    pub fn damaged(&self) -> Vec<String> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Returns the number of different samples that were skipped.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no sample was skipped.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Returns the skipped samples, sorted by name.
    pub fn entries(&self) -> Vec<Skipped> {
        let entry = |(name, (reason, times)): (&String, &(String, usize))| Skipped {
            name: name.clone(),
            reason: reason.clone(),
            times: *times,
        };
        self.lock().iter().map(entry).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (String, usize)>> {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reason with the name of its sample, which most reasons have within a path.
fn placed(name: &str, reason: &str) -> String {
    if reason.contains(&format!("{name}:")) { reason.to_owned() } else { format!("{name}: {reason}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn fail_returns_the_error_and_skip_reports_it() {
        let report = SkipReport::default();
        let bad = || Err::<(), _>("cut off");
        assert_eq!(OnError::Fail.settle("a.jpg", bad(), &report), Err("cut off"));
        assert!(report.is_empty());
        assert_eq!(OnError::Skip.settle("a.jpg", bad(), &report), Ok(None));
        assert_eq!(OnError::Skip.settle("b.jpg", Ok::<_, &str>(5), &report), Ok(Some(5)));
        let skipped = Skipped { name: "a.jpg".to_owned(), reason: "cut off".to_owned(), times: 1 };
        assert_eq!(report.entries(), [skipped]);
    }

    #[test]
    fn a_damaged_image_is_recovered_and_reported_or_stays_an_error() {
        let report = SkipReport::default();
        let damaged = || {
            let message = "a run of zeros goes past the end of its block".to_owned();
            let error = Box::new(ImageError::Corrupt { name: "a.jpg".to_owned(), format: "JPEG", message });
            Err(ImageError::Damaged { error, image: RgbImage::new(3, 2).into() })
        };
        let size = |image: Arc<RgbImage>| image.dimensions();
        let error = OnDamage::Refuse.recover("a.jpg", damaged(), &report, size).unwrap_err();
        assert!(error.to_string().contains("`--on-damage decode`"), "{error}");
        assert!(report.damaged().is_empty());
        for _ in 0..2 {
            assert_eq!(OnDamage::Decode.recover("a.jpg", damaged(), &report, size).unwrap(), (3, 2));
        }
        assert_eq!(OnDamage::Decode.recover("b.jpg", Ok((5, 5)), &report, size).unwrap(), (5, 5));
        assert_eq!(report.damaged(), ["a.jpg"]);
        assert!(report.is_empty());
    }

    #[test]
    fn a_path_is_named_once() {
        assert_eq!(placed("x/0.jpg", "/data/x/0.jpg: truncated JPEG"), "/data/x/0.jpg: truncated JPEG");
        assert_eq!(placed("x/0.jpg", "no caption"), "x/0.jpg: no caption");
    }

    #[test]
    fn threads_share_a_report_that_is_sorted() {
        let report = SkipReport::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let report = report.clone();
                scope.spawn(move || {
                    for file in 0..25 {
                        report.record(&format!("{:02}", (file * 7 + thread) % 25), &"broken");
                    }
                });
            }
        });
        let entries = report.entries();
        assert_eq!((entries.len(), report.len()), (25, 25));
        assert!(entries.is_sorted_by(|a, b| a.name < b.name));
        assert!(entries.iter().all(|entry| entry.times == 4));
    }

    #[test]
    fn the_setting_is_a_word() {
        assert_eq!("skip".parse(), Ok(OnError::Skip));
        assert_eq!(serde_json::to_string(&OnError::Fail).unwrap(), "\"fail\"");
        assert_eq!("decode".parse(), Ok(OnDamage::Decode));
        assert_eq!(serde_json::to_string(&OnDamage::Refuse).unwrap(), "\"refuse\"");
        assert!("skip".parse::<OnDamage>().unwrap_err().contains("`decode`"));
        assert!("ignore".parse::<OnError>().unwrap_err().contains("`ignore`"));
    }
}
