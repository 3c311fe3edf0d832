//! What to do about damaged samples: stop, or go on without them and say so.
//!
//! Skipping never moves other samples: a batch that holds a damaged sample is **one smaller**, and all other batches are what they
//! would have been. So the batches stay a function of seed and epoch, whichever files are damaged, and a run is the same run on the
//! next day, when the disk has lost one file more, in all batches but that file's.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// The setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The first damaged sample is an error.
    #[default]
    Fail,
    /// Damaged samples are left out and reported.
    Skip,
}

impl OnError {
    /// A sample that could be had, or `None` for one that is skipped, which is then on the report.
    ///
    /// # Errors
    /// The sample's own, if the setting is [`OnError::Fail`].
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

/// A sample that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// What was wrong with it, the first time.
    pub reason: String,
    /// How often it was skipped (once an epoch, as a rule).
    pub times: usize,
}

/// What was skipped so far. Clones share one list, so that worker threads can write to it.
#[derive(Clone, Debug, Default)]
pub struct SkipReport {
    skipped: Arc<Mutex<BTreeMap<String, (String, usize)>>>,
}

impl SkipReport {
    /// Notes a sample; the first time it is logged too.
    pub fn record(&self, name: &str, reason: &impl Display) {
        let mut skipped = self.lock();
        if let Some((_, times)) = skipped.get_mut(name) {
            *times += 1;
            return;
        }
        let reason = reason.to_string();
        tracing::warn!("skipped {name}: {reason}");
        skipped.insert(name.to_owned(), (reason, 1));
    }

    /// How many different samples were skipped.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing was skipped.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The skipped samples by name, whatever the order in which threads came upon them.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn fail_passes_the_error_on_and_skip_reports_it() {
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
        assert!("ignore".parse::<OnError>().unwrap_err().contains("`ignore`"));
    }
}
