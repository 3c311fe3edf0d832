//! The figures of all rounds: ours, and each peer's.

use serde::{Deserialize, Serialize};

use super::Part;
use super::measurement::{Measurement, median};
use super::products::Product;

/// The rounds of one way to run the work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// `R-Adapter f32`, or a peer's name with what was preloaded.
    pub(crate) name: String,
    /// One per round; `None` for a round that failed.
    pub(crate) rounds: Vec<Option<Measurement>>,
    /// What to know of the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// The rounds of one architecture and part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) arch: String,
    /// How the step differs from the published one.
    #[serde(default)]
    pub(crate) variant: String,
    pub(crate) part: Part,
    pub(crate) batch_size: usize,
    /// One per precision.
    pub(crate) ours: Vec<Row>,
    pub(crate) peers: Vec<Row>,
}

/// All results of a benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) machine: String,
    pub(crate) cases: Vec<Case>,
    #[serde(default)]
    pub(crate) products: Vec<Product>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) photos: Option<super::photos::Photos>,
}

impl Row {
    pub(crate) fn new(name: String) -> Self {
        Self { name, rounds: Vec::new(), note: None }
    }

    /// The median over the rounds that have the value.
    pub(crate) fn median(&self, value: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
        median_of(self.rounds.iter().flatten().filter_map(value))
    }

    /// The median of the rounds' ratios, so that the machine's drift is the same for both; `None` without a round that has both
    /// values.
    pub(crate) fn against(&self, peer: &Row, value: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
        let pairs = self.rounds.iter().zip(&peer.rounds);
        median_of(pairs.filter_map(|(ours, peer)| Some(value(ours.as_ref()?)? / value(peer.as_ref()?)?)))
    }
}

impl Case {
    /// The fastest peer by the median of its rounds.
    pub(crate) fn best_peer(&self) -> Option<&Row> {
        let speeds =
            self.peers.iter().filter_map(|row| Some((row, row.median(|found| Some(found.samples_per_second))?)));
        speeds.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(row, _)| row)
    }
}

fn median_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| median(values))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row of rounds with these seconds and this peak memory.
    pub(crate) fn row(name: &str, seconds: &[Option<f64>], memory: f64) -> Row {
        let round = |seconds: f64| Measurement {
            seconds,
            samples_per_second: 32.0 / seconds,
            peak_memory_mib: Some(memory),
            minor_faults_per_step: None,
            gemm_gflops: 100.0,
            gflop: None,
            parts: Default::default(),
        };
        Row { name: name.to_owned(), rounds: seconds.iter().map(|one| one.map(round)).collect(), note: None }
    }

    pub(crate) fn case(ours: Vec<Row>, peers: Vec<Row>) -> Case {
        Case { arch: "a".to_owned(), variant: String::new(), part: Part::Step, batch_size: 32, ours, peers }
    }

    #[test]
    fn the_best_peer_is_the_fastest_and_its_memory_is_compared() {
        let small_and_slow = row("small", &[Some(3.0), Some(3.0)], 10.0);
        let large_and_fast = row("large", &[Some(2.0), Some(8.0), None], 400.0);
        let failed = row("failed", &[None, None], 1.0);
        let found =
            case(vec![row("ours", &[Some(1.0), Some(4.0)], 200.0)], vec![failed, small_and_slow, large_and_fast]);
        // Of 16 and 4 samples/s the median is 10, below 32 / 3, although one round was the fastest of all.
        let best = found.best_peer().expect("two peers ran");
        assert_eq!(best.name, "small");
        let large = &found.peers[2];
        assert_eq!(found.ours[0].against(large, |found| Some(found.samples_per_second)), Some(2.0));
        assert_eq!(found.ours[0].against(large, |found| found.peak_memory_mib), Some(0.5));
        assert_eq!(found.ours[0].against(&found.peers[0], |found| found.peak_memory_mib), None);
    }
}
