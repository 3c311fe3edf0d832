//! Two methods of this test alone: they check that the interface supports phases, a teacher, views, a penalty, and unmerged
//! modules.

use std::io::{self, Write};
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use radapter_adapter::{AdapterError, Alpha, Alphas};
use radapter_clip::checkpoint::{Checkpoint, read_safetensors};
use radapter_clip::model::{Adapter, Clip, Context, Encoder, NoAdapter, Place, Precision, Site, SoftPrompt, Tower};
use radapter_test_support::random_rows;
use radapter_training::config::{TrainSettings, Tune};
use radapter_training::finetuned::{FineTunedError, FineTunedRun, RunFiles, TunedModel};
use radapter_training::method::Output;
use radapter_training::state::{HEAD, read_parameters, write_parameters};
use radapter_training::tuning::{Embedded, Images, Phase, Teacher};
use radapter_training::{Line, Method, Outcome, Start, TrainError, TrainLine, Tuning, Validator, read_metrics};
use safetensors::SafeTensors;

use crate::gradients::{assert_equal, moments};
use crate::resume::history;
use crate::support::{Accuracy, Plan, base, finished, result_files};

const DRAFTS: &[&dyn Method] = &[
    &HeadThenAll,
    &LearnedTokens,
    &Faulty { name: "short" },
    &Faulty { name: "shrinking" },
    &Faulty { name: "views" },
];

/// The classifier alone for half of the steps, then the image tower too; embeddings stay near the base's and those of darker views.
#[derive(Debug)]
struct HeadThenAll;

impl Method for HeadThenAll {
    fn name(&self) -> &'static str {
        "head-then-all"
    }

    fn about(&self) -> &'static str {
        "a classifier, then all"
    }

    fn source(&self) -> &'static str {
        "Kumar et al., ICLR 2022, arXiv 2202.10054"
    }

    fn settings(&self) -> &'static str {
        "tune = \"all\"\nloss.kind = \"cross-entropy\""
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::All]
    }

    fn needs_classifier(&self) -> bool {
        true
    }

    fn output(&self) -> Output {
        Output::Mergeable
    }

    fn stem(&self) -> &'static str {
        "weights"
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let clip = start.base().computing_in(start.settings().precision);
        start.run(clip, Box::new(Self))
    }

    fn open(&self, run: &RunFiles, base: &Checkpoint, _: &Alphas, _: &Device) -> Result<TunedModel, FineTunedError> {
        let mut state = base.state.clone();
        for (name, tensor) in read_safetensors(run.evaluated("weights"))?.tensors {
            state.insert(name, tensor);
        }
        Ok(TunedModel::Merged(Box::new(Checkpoint { state, ..base.clone() })))
    }
}

impl Tuning<NoAdapter> for HeadThenAll {
    fn stem(&self) -> &'static str {
        "weights"
    }

    fn trains(&self, key: &str, phase: usize) -> bool {
        key == HEAD || (phase > 0 && key.starts_with("visual."))
    }

    fn phases(&self, settings: &TrainSettings, steps: u64) -> Vec<Phase> {
        let phase = |steps| Phase { steps, schedule: settings.schedule(steps) };
        vec![phase(steps / 2), phase(steps - steps / 2)]
    }

    fn teacher(&self) -> Option<Teacher> {
        Some(Teacher::Base)
    }

    fn views(&self, images: &Images<'_>) -> Vec<f32> {
        images.pixels.iter().map(|value| 0.5 * value).collect()
    }

    fn penalty(&self, step: &Embedded<'_, NoAdapter>) -> Option<Tensor<1>> {
        let near = |other: &Tensor<2>| (step.image.clone() - other.clone()).powf_scalar(2.0).mean();
        Some(near(&step.teacher.as_ref()?.image) + near(step.views.as_ref()?))
    }

    fn encoder(&self, clip: Clip, _alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(clip))
    }

    fn write(&self, clip: &Clip, _base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        write_parameters(clip, |_| true, out)
    }

    fn read(&self, clip: Clip, path: &Path) -> Result<Clip, TrainError> {
        read_parameters(clip, |_| true, path)
    }
}

/// [`HeadThenAll`], breaking by name what [`Tuning`] asks of a method.
#[derive(Clone, Copy, Debug)]
struct Faulty {
    name: &'static str,
}

impl Method for Faulty {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        HeadThenAll.about()
    }

    fn source(&self) -> &'static str {
        HeadThenAll.source()
    }

    fn settings(&self) -> &'static str {
        HeadThenAll.settings()
    }

    fn tunes(&self) -> &'static [Tune] {
        HeadThenAll.tunes()
    }

    fn needs_classifier(&self) -> bool {
        true
    }

    fn output(&self) -> Output {
        HeadThenAll.output()
    }

    fn stem(&self) -> &'static str {
        Method::stem(&HeadThenAll)
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let clip = start.base();
        start.run(clip, Box::new(*self))
    }

    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alphas: &Alphas,
        on: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        HeadThenAll.open(run, base, alphas, on)
    }
}

impl Tuning<NoAdapter> for Faulty {
    fn stem(&self) -> &'static str {
        Method::stem(self)
    }

    fn trains(&self, key: &str, phase: usize) -> bool {
        HeadThenAll.trains(key, if self.name == "shrinking" { 1 - phase } else { phase })
    }

    fn phases(&self, settings: &TrainSettings, steps: u64) -> Vec<Phase> {
        let phases = HeadThenAll.phases(settings, steps);
        if self.name == "short" { phases[..1].to_vec() } else { phases }
    }

    fn views(&self, images: &Images<'_>) -> Vec<f32> {
        if self.name == "views" { images.pixels[1..].to_vec() } else { Vec::new() }
    }

    fn encoder(&self, clip: Clip, alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        HeadThenAll.encoder(clip, alpha)
    }

    fn write(&self, clip: &Clip, base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        HeadThenAll.write(clip, base_hash, out)
    }

    fn read(&self, clip: Clip, path: &Path) -> Result<Clip, TrainError> {
        HeadThenAll.read(clip, path)
    }
}

/// Learned tokens after the start of text.
#[derive(Debug)]
struct LearnedTokens;

#[derive(Module, Debug)]
struct Prompt {
    tokens: Option<Param<Tensor<3>>>,
}

impl Adapter for Prompt {
    fn soft_prompt(&self, _other: Option<&Self>, _place: Place, _context: &Context) -> Option<SoftPrompt> {
        Some(SoftPrompt { tokens: self.tokens.as_ref()?.val(), position: 1 })
    }
}

const LENGTH: usize = 2;
const TOKENS: &str = "text.0.attn.tokens";

fn with_tokens(clip: Clip) -> Clip<Prompt> {
    let (width, device) = (clip.config.text.width, Encoder::device(&clip));
    clip.map_adapters(|place, _| {
        let here = place.tower == Tower::Text && place.layer == 0 && place.site == Site::Attn;
        let tokens = || random_rows(LENGTH, width, 3, &device).mul_scalar(0.1).reshape([1, LENGTH, width]);
        Prompt { tokens: here.then(|| Param::from_tensor(tokens())) }
    })
}

impl Method for LearnedTokens {
    fn name(&self) -> &'static str {
        "learned-tokens"
    }

    fn about(&self) -> &'static str {
        "learned tokens in texts"
    }

    fn source(&self) -> &'static str {
        "Zhou et al., IJCV 2022, arXiv 2109.01134"
    }

    fn settings(&self) -> &'static str {
        "tune = \"adapters\""
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::Adapters]
    }

    fn output(&self) -> Output {
        Output::RuntimeOnly
    }

    fn stem(&self) -> &'static str {
        "tokens"
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let clip = start.base().in_precision(start.settings().precision);
        start.run(with_tokens(clip), Box::new(Self))
    }

    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        _alphas: &Alphas,
        device: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        let clip = with_tokens(Clip::from_state(&base.config, &base.state, device)?);
        let clip = read_parameters(clip, |key| key == TOKENS, &run.evaluated("tokens"))?;
        Ok(TunedModel::Runtime(Box::new(clip)))
    }
}

impl Tuning<Prompt> for LearnedTokens {
    fn stem(&self) -> &'static str {
        "tokens"
    }

    fn trains(&self, key: &str, _phase: usize) -> bool {
        key == TOKENS
    }

    fn encoder(&self, clip: Clip<Prompt>, _alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(clip))
    }

    fn write(&self, clip: &Clip<Prompt>, _base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        write_parameters(clip, |key| key == TOKENS, out)
    }

    fn read(&self, clip: Clip<Prompt>, path: &Path) -> Result<Clip<Prompt>, TrainError> {
        read_parameters(clip, |key| key == TOKENS, path)
    }
}

fn plan(settings: &[&str]) -> Plan {
    let devices = settings.iter().find_map(|setting| setting.strip_prefix("devices="));
    let settings: Vec<&str> = settings.iter().copied().filter(|setting| !setting.starts_with("devices=")).collect();
    let mut plan = Plan::new(&settings);
    plan.methods = DRAFTS;
    plan.devices = devices.map_or(1, |devices| devices.parse().unwrap());
    plan
}

fn tensors(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
    tensors.sort();
    tensors
}

fn names(path: &Path) -> Vec<String> {
    tensors(path).into_iter().map(|(name, _)| name).collect()
}

fn lines(run: &Path) -> Vec<TrainLine> {
    let lines = read_metrics(&run.join("metrics.jsonl")).unwrap();
    let of_step = |line| match line {
        Line::Train(line) => Some(line),
        Line::Validation(_) => None,
    };
    lines.into_iter().filter_map(of_step).collect()
}

fn accuracy(model: &dyn Encoder) -> f64 {
    let values = Accuracy.validate(model, None).unwrap();
    values.iter().find(|(name, _)| name == "cosine").unwrap().1
}

#[test]
fn phases_train_the_head_and_then_the_rest_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let settings = ["method=head-then-all", "steps=8", "lr=0.003", "warmup=0"];
    let _ = plan(&settings).interrupted_at(3).train(&run).unwrap();
    let base: Vec<(String, Vec<u8>)> = base()
        .state
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.to_f32().iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let changed = |file: &str| {
        let now = tensors(&run.join(file));
        assert_eq!(now.len(), base.len());
        let of = |name: &str| base.iter().find(|(other, _)| other == name).unwrap().1.clone();
        now.into_iter().filter(|(name, values)| of(name) != *values).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(&run.join("state/step-00000003/parameters.safetensors")), ["head"]);
    assert_eq!(changed("weights.safetensors"), [""; 0], "the head alone");
    let head = tensors(&run.join("head.safetensors"));

    finished(plan(&settings).resume(&run).unwrap());
    let changed = changed("weights.safetensors");
    assert!(changed.len() > 20 && changed.iter().all(|name| name.starts_with("visual.")), "{changed:?}");
    assert_ne!(tensors(&run.join("head.safetensors")), head);

    // Each phase runs its schedule from the start.
    let steps: Vec<f64> = lines(&run).into_iter().map(|line| line.lr).collect();
    assert_eq!(steps[..4], steps[4..]);
    assert!(steps[3] < steps[0]);

    let opened = FineTunedRun::open(DRAFTS, &run).unwrap();
    let model = opened.model(&crate::support::base(), None, &Device::flex()).unwrap().model;
    assert!(model.checkpoint().is_ok());
}

#[test]
fn drafts_interrupted_in_and_between_phases_end_with_the_same_bits() {
    for settings in [
        &["method=head-then-all", "steps=8", "lr=0.003"][..],
        &["method=head-then-all", "steps=8", "lr=0.003", "ema=0.7", "save_every=2"],
        &["method=head-then-all", "steps=8", "micro_batch=3", "checkpointing=true"],
        &["method=head-then-all", "steps=8", "devices=2"],
        &["method=learned-tokens", "steps=8"],
        &["method=learned-tokens", "steps=8", "precision=bf16"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let whole = dir.path().join("whole");
        finished(plan(settings).train(&whole).unwrap());
        // The fourth step is the last of the first phase.
        for step in [2, 4, 6] {
            let parts = dir.path().join(format!("parts-{step}"));
            let outcome = plan(settings).interrupted_at(step).train(&parts).unwrap();
            assert_eq!(outcome, Outcome::Interrupted { step });
            finished(plan(settings).resume(&parts).unwrap());
            assert!(result_files(&whole) == result_files(&parts), "{settings:?}, step {step}");
            assert_eq!(history(&whole), history(&parts), "{settings:?}, step {step}");
        }
        let every = dir.path().join("every");
        let mut outcome = plan(settings).interrupted_at(1).train(&every).unwrap();
        while let Outcome::Interrupted { step } = outcome {
            outcome = plan(settings).interrupted_at(step + 1).resume(&every).unwrap();
        }
        assert!(result_files(&whole) == result_files(&every), "{settings:?}, every step");
    }
}

#[test]
fn drafts_have_the_same_gradients_in_parts_and_on_several_devices() {
    let gradients = |settings: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let mut plan = plan(&[settings, &["clip_norm=none", "steps=2", "lr=1e-6"]].concat());
        plan.validate = false;
        finished(plan.train(&run).unwrap());
        // For phases these are of the second one's first step.
        moments(&run, 2)
    };
    for method in ["method=head-then-all", "method=learned-tokens"] {
        let whole = gradients(&[method]);
        for how in [
            &["micro_batch=3"][..],
            &["micro_batch=8"],
            &["checkpointing=true"],
            &["devices=2"],
            &["devices=3", "micro_batch=2"],
        ] {
            assert_equal(&whole, &gradients(&[how, &[method]].concat()), &format!("{method}, {how:?}"));
        }
    }
}

#[test]
fn trained_tokens_alone_make_a_model_that_cannot_be_merged() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let report = finished(plan(&["method=learned-tokens", "epochs=20", "lr=0.02"]).train(&run).unwrap());
    assert_eq!(report.tuned_parameters, LENGTH * base().config.text.width);
    let last = format!("state/step-{:08}/parameters.safetensors", report.steps);
    for file in ["tokens.safetensors", "tokens-ema.safetensors", "best/tokens-ema.safetensors", &last] {
        assert_eq!(names(&run.join(file)), [TOKENS], "{file}");
    }

    let opened = FineTunedRun::open(DRAFTS, &run).unwrap();
    assert_eq!(opened.method().output(), Output::RuntimeOnly);
    let (base, device) = (base(), Device::flex());
    let model = || opened.model(&base, None, &device).unwrap().model;
    let validated = history(&run).last().unwrap().clone();
    let found = model().with_encoder(&device, Precision::F32, accuracy).unwrap();
    assert!(validated.contains(&format!("{found:?}")), "{validated}: {found}");
    assert_eq!(accuracy(&*model().encoder(&device, Precision::F32).unwrap()), found, "as it was validated");
    let before = with_tokens(Clip::from_state(&base.config, &base.state, &device).unwrap());
    assert_ne!(accuracy(&before), found);
    let losses: Vec<f64> = lines(&run).into_iter().map(|line| line.loss).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[54..]) < mean(&losses[..6]), "{losses:?}");
    let refused = model().checkpoint().unwrap_err();
    assert!(matches!(refused, FineTunedError::NotMergeable), "{refused}");
    assert!(refused.to_string().contains("--model RUN"), "{refused}");

    std::fs::copy(
        run.join("state").join(format!("step-{:08}/moments.safetensors", report.steps)),
        opened.files().evaluated("tokens"),
    )
    .unwrap();
    let error = opened.model(&base, None, &device).unwrap_err().to_string();
    assert!(error.contains("tokens-ema.safetensors") && error.contains(&format!("`{TOKENS}` is missing")), "{error}");
}

#[test]
fn a_faulty_method_is_an_error() {
    for (name, part) in [
        ("short", "its phases have 4 steps, and the run has 8"),
        ("shrinking", "phase 1 trains `visual."),
        ("views", "values of views are not whole images of 3 × 8 × 8"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let method = format!("method={name}");
        let error = plan(&[&method, "steps=8", "warmup=0"]).train(&dir.path().join("run")).unwrap_err();
        assert!(matches!(error, TrainError::Method { .. }) && error.to_string().contains(part), "{name}: {error}");
    }
}
