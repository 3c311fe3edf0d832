//! The form of the written files: inputs, outputs, names, types, and weights in a file of their own.

use std::collections::BTreeSet;

use prost::Message;
use radapter_adapter::Rank;
use radapter_clip::config::Activation;
use radapter_clip::state_dict::RawTensor;
use radapter_files::Disk;
use radapter_files::faults::FullAt;

use super::{adapters, checkpoint, options, towers};
use crate::proto::{ElementType, Graph, Model, Tensor, ValueInfo};
use crate::{Layout, OnnxDtype, OnnxError, OnnxFile, OnnxOptions, Opset, models, write_folder};

fn model(file: &OnnxFile) -> Model {
    Model::decode(&*file.to_bytes()).unwrap()
}

fn graph(file: &OnnxFile) -> Graph {
    model(file).graph.unwrap()
}

/// An input or output as text: its name, element type and axes.
fn shown(value: &ValueInfo) -> String {
    let tensor = value.r#type.clone().unwrap().tensor_type.unwrap();
    let axes = tensor.shape.unwrap().dim.into_iter().map(|dim| match (dim.dim_value, dim.dim_param) {
        (Some(length), None) => length.to_string(),
        (None, Some(name)) => name,
        both => panic!("{both:?}"),
    });
    format!("{} {} [{}]", value.name, tensor.elem_type, axes.collect::<Vec<_>>().join(", "))
}

fn interface(file: &OnnxFile) -> Vec<String> {
    let graph = graph(file);
    graph.input.iter().chain(&graph.output).map(shown).collect()
}

#[test]
fn inputs_and_outputs_are_those_that_transformers_js_asks_for() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let f16 = OnnxOptions { dtype: OnnxDtype::F16, ..OnnxOptions::default() };
    let [vision, text] = towers(&checkpoint, None);
    assert_eq!([vision.name(), text.name()], ["vision_model.onnx", "text_model.onnx"]);
    assert_eq!(interface(&vision), ["pixel_values 1 [batch_size, 3, 8, 8]", "image_embeds 1 [batch_size, 12]"]);
    assert_eq!(interface(&text), ["input_ids 7 [batch_size, sequence_length]", "text_embeds 1 [batch_size, 12]"]);
    // They are f32 for every type of the weights.
    let short = models(&checkpoint, None, &f16).unwrap();
    assert_eq!(
        short.iter().map(OnnxFile::name).collect::<Vec<_>>(),
        ["vision_model_fp16.onnx", "text_model_fp16.onnx"]
    );
    assert_eq!([interface(&short[0]), interface(&short[1])], [interface(&vision), interface(&text)]);

    let single = models(&checkpoint, None, &options(Layout::Single)).unwrap().remove(0);
    assert_eq!(single.name(), "model.onnx");
    let expected = [
        "input_ids 7 [text_batch_size, sequence_length]",
        "pixel_values 1 [image_batch_size, 3, 8, 8]",
        "attention_mask 7 [text_batch_size, sequence_length]",
        "logits_per_image 1 [image_batch_size, text_batch_size]",
        "logits_per_text 1 [text_batch_size, image_batch_size]",
        "text_embeds 1 [text_batch_size, 12]",
        "image_embeds 1 [image_batch_size, 12]",
    ];
    assert_eq!(interface(&single), expected);
    let adapters = adapters(&checkpoint, Rank::Full);
    assert_eq!(interface(&towers(&checkpoint, Some(&adapters))[0])[1], "alpha 1 []");
}

#[test]
fn weights_have_the_names_shapes_and_bytes_of_the_checkpoint() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let files = towers(&checkpoint, None);
    let graphs = files.each_ref().map(graph);
    let initializers: Vec<&Tensor> = graphs.iter().flat_map(|graph| &graph.initializer).collect();
    for (name, tensor) in checkpoint.state.iter().filter(|(name, _)| *name != "logit_scale") {
        let found: Vec<&&Tensor> = initializers.iter().filter(|initializer| initializer.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        let shape: Vec<i64> = tensor.shape().iter().map(|&axis| axis as i64).collect();
        assert_eq!((&found[0].dims, found[0].raw_data.as_deref()), (&shape, Some(tensor.bytes())), "{name}");
    }
    for graph in &graphs {
        let names: BTreeSet<&str> = graph.node.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names.len(), graph.node.len(), "names of nodes are unique");
        let used: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
        assert!(graph.initializer.iter().all(|tensor| used.contains(&tensor.name)), "nothing is stored in vain");
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let adapters = adapters(&checkpoint(Activation::Gelu), Rank::Low(2));
    let written = || towers(&checkpoint(Activation::Gelu), Some(&adapters)).map(|file| file.to_bytes());
    assert_eq!(written(), written());
}

#[test]
fn opset_and_file_format_fit_each_other() {
    for (opset, format) in [(18, 8), (20, 9), (22, 10), (23, 11)] {
        let options = OnnxOptions { opset: Opset::new(opset).unwrap(), ..OnnxOptions::default() };
        let model = model(&models(&checkpoint(Activation::Gelu), None, &options).unwrap()[0]);
        assert_eq!((model.ir_version, model.opset_import[0].version), (format, opset));
    }
    for opset in [17, 24, -1] {
        let error = Opset::new(opset).unwrap_err().to_string();
        assert_eq!(error, format!("opset {opset} is not supported; expected 18 to 23"));
    }
}

#[test]
fn f16_has_no_f32_weights_and_refuses_values_beyond_it() {
    let f16 = OnnxOptions { dtype: OnnxDtype::F16, ..OnnxOptions::default() };
    let mut checkpoint = checkpoint(Activation::QuickGelu);
    for file in models(&checkpoint, None, &f16).unwrap() {
        let graph = graph(&file);
        assert!(graph.initializer.iter().all(|tensor| tensor.data_type != ElementType::F32 as i32));
    }
    let bias = RawTensor::from_f32([8], vec![1e6; 8]);
    checkpoint.state.insert("ln_final.bias", bias);
    let error = models(&checkpoint, None, &f16).unwrap_err();
    assert!(matches!(error, OnnxError::Tensor(_)) && error.to_string().contains("ln_final.bias"), "{error}");
}

#[test]
fn weights_of_a_large_model_are_in_a_file_of_their_own() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let folder = tempfile::tempdir().unwrap();
    let options = OnnxOptions { most_bytes: 100_000, ..OnnxOptions::default() };
    let written = write_folder(&checkpoint, None, &options, &Disk, folder.path()).unwrap();
    // The text tower has the vocabulary.
    assert_eq!(written, ["onnx/vision_model.onnx", "onnx/text_model.onnx", "onnx/text_model.onnx_data"]);
    let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let loading = serde_json::json!({ "dtype": "fp32", "use_external_data_format": { "text_model.onnx": 1 } });
    assert_eq!((&config["transformers.js_config"], &config["model_type"]), (&loading, &"clip".into()));

    let options = OnnxOptions { most_bytes: 1000, ..OnnxOptions::default() };
    write_folder(&checkpoint, None, &options, &Disk, folder.path()).unwrap();
    let model = Model::decode(&*std::fs::read(folder.path().join("onnx/vision_model.onnx")).unwrap()).unwrap();
    let data = std::fs::read(folder.path().join("onnx/vision_model.onnx_data")).unwrap();
    let mut moved = 0;
    for tensor in model.graph.unwrap().initializer {
        let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let Some(location) = entry("location") else { continue };
        assert_eq!((location.as_str(), tensor.data_location), ("vision_model.onnx_data", Some(Tensor::EXTERNAL)));
        let (offset, length): (usize, usize) =
            (entry("offset").unwrap().parse().unwrap(), entry("length").unwrap().parse().unwrap());
        assert!(tensor.raw_data.is_none() && offset.is_multiple_of(4096), "{}", tensor.name);
        let expected = checkpoint.state.get(&tensor.name).unwrap().bytes();
        assert_eq!(&data[offset..offset + length], expected, "{}", tensor.name);
        moved += 1;
    }
    assert!(moved > 4, "{moved}");
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let folder = tempfile::tempdir().unwrap();
    let error =
        write_folder(&checkpoint, None, &OnnxOptions::default(), &FullAt::operation(1), folder.path()).unwrap_err();
    assert!(error.to_string().contains("vision_model.onnx"), "{error}");
}
