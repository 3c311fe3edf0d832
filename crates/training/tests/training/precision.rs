//! 16-bit activations and frozen weights on the CPU, which widens them for each operation: slow, with the same rounding as a GPU.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use radapter_clip::model::{Clip, Context, Encoder, Precision};
use radapter_losses::LossError;
use radapter_training::{Contrastive, Line, Objective, Outcome, Side, Validator, read_metrics};
use safetensors::SafeTensors;

use crate::gradients::{difference, gradients};
use crate::support::{Plan, base_clip, finished, result_files, tokens_of, train};

#[test]
fn embeddings_are_f32_and_near_those_of_f32() {
    let context = Context::inference();
    let pixels: Vec<f32> = (0..2 * 3 * 8 * 8).map(|at| (at as f32 * 0.37).sin()).collect();
    let texts = [tokens_of(0), tokens_of(3)];
    let rows = |model: &Clip| {
        let pixels = Tensor::<4>::from_data(TensorData::new(pixels.clone(), [2, 3, 8, 8]), &Device::flex());
        let both = [model.encode_image(pixels, &context), model.encode_text(&texts, &context)];
        // Reading as f32 is refused for any other type.
        both.map(|rows| rows.into_data().try_to_vec::<f32>().unwrap()).concat()
    };
    let model = base_clip();
    let expected = rows(&model);
    for (precision, limit) in [(Precision::Bf16, 3e-2), (Precision::F16, 4e-3)] {
        for model in [model.clone().in_precision(precision), model.clone().computing_in(precision)] {
            let found = rows(&model);
            let distance = expected.iter().zip(&found).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
            assert!(distance > 0.0 && distance < limit, "{precision}: {distance}");
        }
    }
}

#[test]
fn weights_have_the_precision_and_norms_do_not() {
    struct Types(Vec<(String, DType)>, Vec<String>);

    impl ModuleVisitor for Types {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.1.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.1.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.push((self.1.join("."), parameter.val().dtype()));
        }
    }

    let mut types = Types(Vec::new(), Vec::new());
    base_clip().in_precision(Precision::Bf16).visit(&mut types);
    for (path, dtype) in types.0 {
        let stays = path.contains("ln_") || path == "logit_scale";
        assert_eq!(dtype, if stays { DType::F32 } else { DType::BF16 }, "{path}");
    }
}

#[test]
fn gradients_are_near_those_of_f32_in_every_kind_of_step() {
    for settings in [
        &["adapter.drop=0"][..],
        &["adapter.rank=2", "adapter.drop=0"],
        &["adapter.drop=0.5", "adapter.drop_mode=token", "seed=3"],
        &["micro_batch=3", "adapter.drop=0"],
        &["checkpointing=true", "adapter.drop=0"],
        &["tune=all"],
        &["tune=all", "loss.kind=info-nce"],
    ] {
        let expected = gradients(settings);
        for (precision, limit) in [("bf16", 0.08), ("f16", 0.01)] {
            let setting = format!("precision={precision}");
            let found = gradients(&[settings, &[&setting]].concat());
            let distance = difference(&expected, &found);
            assert!(distance > 0.0 && distance < limit, "{precision}, {settings:?}: {distance}");
        }
    }
}

fn trained(dir: &Path, settings: &[&str]) -> f64 {
    let mut plan = Plan::new(&["steps=60", "seed=2"]);
    plan.settings.extend(settings.iter().map(|setting| (*setting).to_owned()));
    finished(plan.train(dir).unwrap()).best.unwrap().value
}

#[test]
fn a_run_learns_as_one_of_f32_does_and_saves_f32() {
    let dir = tempfile::tempdir().unwrap();
    let expected = trained(&dir.path().join("f32"), &[]);
    for precision in ["bf16", "f16"] {
        let run = dir.path().join(precision);
        let found = trained(&run, &[&format!("precision={precision}")]);
        assert!((found - expected).abs() < 0.02, "{precision}: {found}, {expected}");
        for (path, bytes) in result_files(&run) {
            let tensors = SafeTensors::deserialize(&bytes).unwrap();
            assert!(!tensors.is_empty(), "{}", path.display());
            for (name, view) in tensors.iter() {
                assert_eq!(view.dtype(), safetensors::Dtype::F32, "{}: {name}", path.display());
            }
        }
    }
}

#[test]
fn an_interrupted_run_continues_with_the_same_bits() {
    for precision in ["precision=bf16", "precision=f16"] {
        let dir = tempfile::tempdir().unwrap();
        let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
        let plan = || Plan::new(&["steps=7", precision]);
        finished(plan().train(&whole).unwrap());
        assert!(matches!(plan().interrupted_at(3).train(&parts).unwrap(), Outcome::Interrupted { step: 3 }));
        finished(plan().resume(&parts).unwrap());
        assert_eq!(result_files(&whole), result_files(&parts), "{precision}");
    }
}

/// Notes the precision of the models that it measures.
struct Noting(Arc<Mutex<Vec<Precision>>>);

impl Validator for Noting {
    fn validate(
        &mut self,
        model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>> {
        let pixels = Tensor::<4>::zeros([1, 3, 8, 8], &model.device());
        let rows = model.embed_images(pixels).into_data().try_to_vec::<f32>()?;
        assert!(rows.iter().all(|value| value.is_finite()));
        self.0.lock().unwrap().push(model.precision());
        Ok(vec![("cosine".to_owned(), 0.5)])
    }
}

#[test]
fn validation_computes_in_the_precision_of_the_run() {
    for precision in Precision::ALL {
        for method in ["r-adapter", "full"] {
            let dir = tempfile::tempdir().unwrap();
            let (precision_set, method_set) = (format!("precision={precision}"), format!("method={method}"));
            let settings = [&*precision_set, &*method_set, "steps=2", "validate_every=1"];
            let mut setup = Plan::new(&settings).setup(&dir.path().join("run")).unwrap();
            let noted = Arc::default();
            setup.parts.validator = Some(Box::new(Noting(Arc::clone(&noted))));
            finished(train(setup).unwrap());
            // The base model, and after each step.
            assert_eq!(*noted.lock().unwrap(), [precision; 3], "{method}");
        }
    }
}

/// A loss whose gradients are a multiple of the expected ones.
#[derive(Debug)]
struct Steep(Contrastive, f64);

impl Objective for Steep {
    fn loss(&self, image: Tensor<2>, side: Side, labels: &[i64]) -> Result<Tensor<1>, LossError> {
        Ok(self.0.loss(image, side, labels)?.mul_scalar(self.1))
    }

    fn needs_text(&self) -> bool {
        self.0.needs_text()
    }

    fn min_batch(&self) -> usize {
        self.0.min_batch()
    }
}

#[test]
fn gradients_too_large_for_f16_are_computed_with_a_smaller_factor() {
    let losses = |precision: &str, factor: f64| {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let mut plan = Plan::new(&["steps=5", "clip_norm=1", precision]);
        plan.validate = false;
        let mut setup = plan.setup(&run).unwrap();
        setup.objective = std::sync::Arc::new(Steep(Contrastive::InfoNce { temperature: 0.1 }, factor));
        finished(train(setup).unwrap());
        let lines = read_metrics(&run.join("metrics.jsonl")).unwrap();
        let of = |line: &Line| match line {
            Line::Train(line) => Some((line.loss / factor, line.grad_norm / factor)),
            Line::Validation(_) => None,
        };
        lines.iter().filter_map(of).collect::<Vec<_>>()
    };
    let expected = losses("precision=f32", 1.0);
    // 400 · 1000 exceeds the range of f16.
    for ((loss, norm), (expected, expected_norm)) in losses("precision=f16", 1000.0).iter().zip(&expected) {
        assert!((loss - expected).abs() < 0.01 * expected, "{loss}, {expected}");
        assert!((norm - expected_norm).abs() < 0.03 * expected_norm, "{norm}, {expected_norm}");
    }
}
