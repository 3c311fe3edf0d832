//! Treatment of damaged samples: stop, or skip and report them.
//!
//! Skipping never moves other samples: a batch with a damaged sample is **one smaller**, and all other batches stay as they are.
//! Batches therefore remain a function of seed and epoch, whichever files are damaged: one more lost file changes only its own
//! batches.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Collector of skipped samples. Clones share one list, so that worker threads can add to it.
#[derive(Clone, Debug, Default)]
pub struct SkipReport {
    skipped: Arc<Mutex<BTreeMap<String, (String, usize)>>>,
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
        tracing::warn!("skipped {name}: {reason}");
        skipped.insert(name.to_owned(), (reason, 1));
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
