//! The formulas of the methods against values and gradients recorded from PyTorch in double precision
//! (`xtask/fixtures/methods.py`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Int, Tensor, TensorData};
use radapter_adapter::Dropping;
use radapter_clip::model::{Clip, Context, Tower, Weights};
use radapter_clip::tokenizer::Tokenizer;
use radapter_methods::adaptformer::Bottleneck;
use radapter_methods::coop::{CoOpMethod, Prompt};
use radapter_methods::lora::LowRankUpdate;
use radapter_methods::maple::{Coupled, MapleMethod, Projection};
use radapter_methods::modules::Attached;
use radapter_methods::repadapter::RepAdapter;
use radapter_methods::{carot, clipood};
use radapter_settings::{Facts, Schema, Settings};
use radapter_test_support::{distance, numbers, uneven_batch, uneven_clip};
use radapter_training::config::TrainSettings;
use radapter_training::regularizer::{Lipsum, MaskFill, Regularizer, SelfDistillation, orthogonality};
use radapter_training::tuning::TeacherEmbeddings;
use radapter_training::{Averaging, ClassTexts, CrossEntropy, Objective, Side};
use serde_json::Value;

/// Single precision against double.
const TOLERANCE: f64 = 2e-5;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/methods.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[name].clone()
}

fn tensor(value: &Value) -> Tensor<2> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let values: Vec<f32> = rows.iter().flatten().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), rows[0].len()]), &Device::flex().autodiff())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Checks the value of a function of the case's inputs, in their alphabetical order, and its gradients.
fn check(case: &Value, loss: impl FnOnce(&[Tensor<2>]) -> Tensor<1>) {
    let inputs: BTreeMap<String, Value> = serde_json::from_value(case["inputs"].clone()).unwrap();
    let leaves: Vec<Tensor<2>> = inputs.values().map(|input| tensor(input).require_grad()).collect();
    let loss = loss(&leaves);
    let gradients = loss.backward();
    let found = loss.into_data().iter::<f64>().next().unwrap();
    assert!((found / number(&case["value"]) - 1.0).abs() < TOLERANCE, "{found}, expected {}", case["value"]);
    for (name, leaf) in inputs.keys().zip(leaves) {
        let found: Vec<f64> = leaf.grad(&gradients).unwrap().into_data().iter::<f64>().collect();
        let rows: Vec<Vec<f64>> = serde_json::from_value(case["gradients"][name].clone()).unwrap();
        let expected = rows.concat();
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
        let distance = norm(&mut found.iter().zip(&expected).map(|(found, expected)| found - expected));
        assert!(distance < TOLERANCE * norm(&mut expected.iter().copied()), "{name}: {found:?}, expected {expected:?}");
    }
}

fn teacher(image: &Value, text: Option<&Value>, probes: Option<&Value>) -> TeacherEmbeddings {
    TeacherEmbeddings { image: tensor(image), text: text.map(tensor), views: None, probes: probes.map(tensor) }
}

#[test]
fn clipood_lowers_logits_by_the_similarity_of_texts() {
    let case = fixture("clipood");
    let labels: Vec<i64> = serde_json::from_value(case["labels"].clone()).unwrap();
    let (margin, temperature) = (number(&case["margin"]), number(&case["temperature"]));
    check(&case, |inputs| {
        let [head, image] = [0, 1].map(|index| inputs[index].clone());
        CrossEntropy { margin, smoothing: 0.0, temperature }.loss(image, Side::Head(head), &labels).unwrap()
    });
}

/// The average after each step, of values of which the first is the start.
fn averages(averaging: &Averaging, values: &[f64]) -> Vec<f64> {
    let step = |average: &mut f64, (step, value): (usize, &f64)| {
        let decay = averaging.decay_at(step as u64);
        *average = decay * *average + (1.0 - decay) * value;
        Some(*average)
    };
    values.iter().enumerate().skip(1).scan(values[0], step).collect()
}

#[test]
fn clipood_averages_by_the_density_of_beta() {
    let case = fixture("beta_average");
    let values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
    let averaging = clipood::beta_average(values.len() as u64 - 1);
    let found = *averages(&averaging, &values).last().unwrap();
    assert!((found - number(&case["average"])).abs() < 1e-12, "{found}, expected {}", case["average"]);
}

#[test]
fn carot_teaches_with_an_average_that_is_updated_now_and_then() {
    let case = fixture("carot_teacher");
    let [values, expected]: [Vec<f64>; 2] =
        ["values", "history"].map(|key| serde_json::from_value(case[key].clone()).unwrap());
    let found = averages(&carot::teacher(expected.len() as u64), &values);
    for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < 1e-12, "step {step}: {found}, expected {expected}");
    }
}

#[test]
fn lipsum_keeps_the_logits_of_random_texts() {
    let case = fixture("lipsum");
    let term = Lipsum { weight: number(&case["weight"]), temperature: number(&case["temperature"]) };
    let teacher = teacher(&case["teacher"], None, Some(&case["probes"]));
    check(&case, |inputs| term.penalty(&inputs[0], None, None, &teacher).unwrap());

    let (texts, others) = (term.probes(1, 7, 77), term.probes(1, 8, 77));
    assert_eq!((texts.len(), texts[0].len()), (80, 10));
    assert_eq!(texts, term.probes(1, 7, 77));
    assert_eq!(term.probes(1, 7, 6)[79].len(), 6);
    assert_ne!(texts, others);
    assert!(texts.iter().all(|text| text[0] == 49406 && text[9] == 49407 && text[1..9].iter().all(|&id| id < 49406)));
}

#[test]
fn self_distillation_keeps_the_similarities_of_the_batch() {
    let case = fixture("self_distill");
    let term = SelfDistillation { weight: number(&case["weight"]), temperature: number(&case["temperature"]) };
    let teacher = teacher(&case["teacher_image"], Some(&case["teacher_text"]), None);
    check(&case, |inputs| term.penalty(&inputs[0], Some(&inputs[1]), None, &teacher).unwrap());
}

#[test]
fn lora_adds_a_product_of_low_rank_to_a_linear() {
    let case = fixture("lora");
    let [x, weight, bias, weigh] = ["x", "weight", "bias", "weigh"].map(|key| tensor(&case[key]));
    let weights = Weights::new(weight, bias.reshape([-1]));
    check(&case, |inputs| {
        let [a, b] = [0, 1].map(|index| parameter(inputs[index].clone()));
        let update = LowRankUpdate { a, b };
        ((weights.forward(x.clone()) + update.forward(&x, number(&case["factor"]))) * weigh).sum()
    });
}

#[test]
fn mask_fill_keeps_the_embeddings_of_masked_images() {
    let case = fixture("mask_fill");
    let term = MaskFill { weight: number(&case["weight"]), mask: 0.5 };
    let views = Some(tensor(&case["teacher"]));
    let teacher = TeacherEmbeddings { views, ..teacher(&case["teacher"], None, None) };
    check(&case, |inputs| term.penalty(&inputs[0], None, Some(&inputs[0]), &teacher).unwrap());
}

fn parameter<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value)
}

#[test]
fn adaptformer_adds_a_bottleneck() {
    let case = fixture("adaptformer");
    let [x, weigh] = ["x", "weigh"].map(|key| tensor(&case[key]));
    check(&case, |inputs| {
        let [down, down_bias, up, up_bias] = [0, 1, 2, 3].map(|index| inputs[index].clone());
        let bottleneck = Bottleneck {
            down: parameter(down),
            down_bias: parameter(down_bias.reshape([-1])),
            up: parameter(up),
            up_bias: parameter(up_bias.reshape([-1])),
        };
        (bottleneck.forward(&x, |x| x).mul_scalar(number(&case["scale"])) * weigh).sum()
    });
}

#[test]
fn repadapter_acts_in_groups_and_folds_into_the_linear_behind_it() {
    let case = fixture("repadapter");
    let [x, weigh, linear] = ["x", "weigh", "linear"].map(|key| tensor(&case[key]));
    let (groups, scale) = (case["groups"].as_u64().unwrap() as usize, number(&case["scale"]));
    let adapter = |inputs: &[Tensor<2>]| {
        let [down, down_bias, up, up_bias] = [0, 1, 2, 3].map(|index| inputs[index].clone());
        let [width, inner] = up.dims();
        RepAdapter {
            down: parameter(down),
            down_bias: parameter(down_bias.reshape([-1])),
            up: parameter(up.reshape([groups, width / groups, inner])),
            up_bias: parameter(up_bias.reshape([-1])),
            scale,
            dropping: Dropping::NEVER,
        }
    };
    check(&case, |inputs| {
        (adapter(inputs).forward(x.clone(), |x| x).matmul(linear.clone().transpose()) * weigh.clone()).sum()
    });
    check(&case, |inputs| {
        let (moved, shift) = adapter(inputs).folded(linear.clone(), 1.0);
        ((x.clone().matmul((linear.clone() + moved).transpose()) + shift.unsqueeze()) * weigh.clone()).sum()
    });
}

#[test]
fn orthogonality_is_the_distance_of_the_gram_matrix_from_the_identity() {
    check(&fixture("orthogonality"), |inputs| orthogonality(inputs[0].clone()));
}

#[test]
fn coop_compares_images_with_the_texts_of_all_classes() {
    let case = fixture("class_texts");
    let labels: Vec<i64> = serde_json::from_value(case["labels"].clone()).unwrap();
    let loss = CrossEntropy { margin: 0.0, smoothing: 0.0, temperature: number(&case["temperature"]) };
    check(&case, |inputs| ClassTexts(loss).loss(inputs[1].clone(), Side::Text(inputs[0].clone()), &labels).unwrap());
}

/// With the embeddings of words as its vectors, the text of a class is the one with these words.
#[test]
fn coop_s_vectors_stand_in_front_of_the_class_name() {
    let device = Device::flex();
    let clip = uneven_clip(0, &device);
    let tokenize = |text: &str| Tokenizer::clip().encode_unpadded(text, clip.config.text.context_length);
    let (words, name) = (tokenize("a photo of a"), tokenize("dog."));
    let ids = &words[1..words.len() - 1];
    let rows: Vec<Tensor<2>> =
        ids.iter().map(|&id| clip.text.token_embedding.weight.val().narrow(0, id as usize, 1)).collect();
    let context = Context::inference();
    let expected = clip.encode_text(&[tokenize("a photo of a dog.")], &context);

    let mut settings: TrainSettings = train_settings("coop.tokens = 4");
    let prompted = CoOpMethod::attach(clip.clone(), &settings).unwrap();
    let start = prompted.encode_text(std::slice::from_ref(&name), &context);
    let prompted = prompted
        .map_adapters(|_, prompt| Prompt { tokens: prompt.tokens.map(|_| parameter(Tensor::cat(rows.clone(), 0))) });
    let found = prompted.encode_text(&[name], &context);
    assert!(distance(&numbers(found), &numbers(expected.clone())) < 1e-6);
    assert!(distance(&numbers(start), &numbers(expected)) > 1e-3, "vectors at random are other words");

    settings.coop.tokens = clip.config.text.context_length - 3;
    let error = CoOpMethod::attach(clip, &settings).unwrap_err().to_string();
    assert!(error.contains("coop.tokens") && error.contains("so that class names fit"), "{error}");
}

#[test]
fn maple_s_prompts_of_images_are_made_from_those_of_texts() {
    let case = fixture("maple");
    let weigh = tensor(&case["weigh"]);
    check(&case, |inputs| {
        let [bias, tokens, weight] = [0, 1, 2].map(|index| inputs[index].clone());
        let made = Projection { weight: parameter(weight), bias: parameter(bias) }.forward(tokens);
        (made.clone() * weigh).sum() + made.powi_scalar(2).sum()
    });
}

/// The word vectors stand in front of the class name, and deeper prompts replace what became of them. Both towers' embeddings
/// depend on the prompts of texts, and the gradient is that of both.
#[test]
fn maple_s_prompts_enter_the_first_blocks_of_both_towers() {
    let device = Device::flex().autodiff();
    let clip = uneven_clip(0, &device);
    let context = Context::inference();
    let tokenize = |text: &str| Tokenizer::clip().encode_unpadded(text, clip.config.text.context_length);
    let (name, photo) = ([tokenize("dog.")], [tokenize("a photo of a dog.")]);
    let plain = clip.encode_text(&photo, &context);
    let attach = |toml: &str| MapleMethod::attach(clip.clone(), &train_settings(toml)).unwrap();
    let shallow = attach("maple.tokens = 4\nmaple.depth = 1").encode_text(&name, &context);
    assert!(distance(&numbers(shallow), &numbers(plain.clone())) < 1e-6);
    let deep = attach("maple.tokens = 4\nmaple.depth = 9").encode_text(&name, &context);
    assert!(distance(&numbers(deep), &numbers(plain)) > 1e-3);

    let (pixels, _) = uneven_batch(&device);
    // The image tower has one block more than the text tower, which gets no prompt.
    let mut with = Vec::new();
    let prompted = attach("maple.tokens = 2").map_adapters(|place, own| {
        if own.tokens.is_some() || own.projection.is_some() {
            with.push(place.to_string());
        }
        Coupled { tokens: own.tokens.map(|tokens| parameter(tokens.val().detach().require_grad())), ..own }
    });
    assert_eq!(with, ["visual.0.attn", "visual.1.attn", "text.0.attn", "text.1.attn"]);
    let loss = |clip: &Clip<Coupled>| {
        let (image, text) = (clip.encode_image(pixels.clone(), &context), clip.encode_text(&name, &context));
        let weigh = |x: Tensor<2>, first: i64| {
            let columns = x.dims()[1] as i64;
            (x * Tensor::<1, Int>::arange(first..first + columns, &device).float().unsqueeze()).sum()
        };
        weigh(image, 1) + weigh(text, -4)
    };
    let gradients = loss(&prompted).backward();
    for (layer, block) in prompted.text.transformer.resblocks.iter().enumerate() {
        let tokens = block.adapter_attn.tokens.as_ref().unwrap().val();
        let gradient = tokens.grad(&gradients).unwrap();
        let size = gradient.clone().powi_scalar(2).sum().into_scalar::<f32>().sqrt();
        let step = 2e-3;
        let moved = |by: f32| {
            let shift = gradient.clone().mul_scalar(by / size);
            let clip = prompted.clone().map_adapters(|place, own| {
                let is_here = place.tower == Tower::Text && place.layer == layer;
                let shift = Tensor::from_data(shift.to_data(), &device);
                let tokens = own.tokens.map(|tokens| match is_here {
                    true => parameter(tokens.val().detach() + shift),
                    false => tokens,
                });
                Coupled { tokens, ..own }
            });
            loss(&clip).into_scalar::<f32>()
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        assert!((slope / size - 1.0).abs() < 0.02, "block {layer}: {slope}, expected {size}");
    }
}

fn train_settings(toml: &str) -> TrainSettings {
    let given = Settings::from_toml(&format!("method = \"coop\"\nbest = \"none\"\n{toml}"), "test").unwrap();
    let facts = Facts { samples: 8, ..Facts::default() };
    Schema::of::<TrainSettings>().overlay(&[&given]).unwrap().resolve(&facts).part().unwrap()
}
