//! A device with too little memory, and one that fails in a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use radapter_losses::LossError;
use radapter_training::{Objective, Side, TrainError, read_metrics};

use crate::support::{Plan, finished, resume, train};

#[test]
fn a_batch_that_cannot_fit_is_refused_before_a_folder_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let with = |memory: radapter_training::FreeMemory| {
        let mut plan = Plan::new(&["steps=2"]);
        plan.memory = Some(memory);
        plan.train(&run)
    };
    let error = with(|| Some(1000)).unwrap_err();
    assert!(matches!(error, TrainError::Memory { part: 8, .. }), "{error}");
    for part in ["8 samples", "GiB", "checkpointing"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert!(!run.exists());
    finished(with(|| Some(1 << 30)).unwrap());
}

/// A loss whose device fails in one of its calls, as a library does whose memory runs out.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn Objective>,
    calls: AtomicUsize,
    fails_in: usize,
}

impl Objective for Failing {
    fn needs_text(&self) -> bool {
        self.inner.needs_text()
    }

    fn min_batch(&self) -> usize {
        self.inner.min_batch()
    }

    fn loss(&self, image: Tensor<2>, side: Side, labels: &[i64]) -> Result<Tensor<1>, LossError> {
        let call = 1 + self.calls.fetch_add(1, Ordering::Relaxed);
        assert!(call != self.fails_in, "out of memory: 1073741824 bytes");
        self.inner.loss(image, side, labels)
    }
}

#[test]
fn a_device_that_fails_in_a_step_ends_the_run_cleanly_and_it_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let plan = || Plan::new(&["steps=9", "save_every=2"]);
    finished(plan().train(&at("whole")).unwrap());

    let mut setup = plan().setup(&at("run")).unwrap();
    let inner = setup.objective.clone();
    setup.objective = Arc::new(Failing { inner, calls: AtomicUsize::new(0), fails_in: 6 });
    let error = train(setup).unwrap_err();
    assert!(matches!(error, TrainError::Device { step: 6, saved: Some(4), .. }), "{error}");
    for part in ["step 6", "out of memory: 1073741824 bytes", "step 4 is saved", "--resume", "micro_batch"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    finished(resume(plan().setup(&at("run")).unwrap(), None).unwrap());
    let weights = |name: &str| std::fs::read(at(name).join("adapters-ema.safetensors")).unwrap();
    assert_eq!(weights("run"), weights("whole"));
    assert_eq!(read_metrics(&at("run").join("metrics.jsonl")).unwrap().len(), 9 + 1 + 3);
}
