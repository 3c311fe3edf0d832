use radapter_classification::classes::Classes;
use radapter_classification::head::{CLASSES_FILE, CLASSIFIER_FILE, Head, HeadError};
use radapter_datasets::Templates;
use radapter_embedding::{Embeddings, embed_texts};

use crate::support::{assert_near, classes, device, model};

fn templates() -> Templates {
    Templates::built_in("openai-80").unwrap()
}

/// Reference implementation of the class weights, class by class and template by template.
fn plain(seed: u64) -> Vec<f32> {
    let model = model(seed);
    let mut weights = Vec::new();
    for class in classes().as_slice() {
        let mut sum = vec![0.0_f64; model.config.embed_dim];
        for prompt in templates().prompts(&class.text) {
            let row = embed_texts(&model, &[prompt], 1).unwrap();
            for (sum, value) in sum.iter_mut().zip(row.values()) {
                *sum += f64::from(*value) / templates().as_slice().len() as f64;
            }
        }
        let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        weights.extend(sum.iter().map(|value| (value / length) as f32));
    }
    weights
}

#[test]
fn rows_are_normalised_means_over_templates() {
    let expected = plain(2);
    for batch in [7, 64] {
        let head = Head::zero_shot(&model(2), &classes(), &templates(), batch).unwrap();
        assert_near(head.weights().values(), &expected, 2e-6);
        for row in head.weights().rows() {
            let length: f32 = row.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }
}

#[test]
fn logits_are_dot_products() {
    let head = Head::zero_shot(&model(2), &classes(), &templates(), 64).unwrap();
    let dim = head.weights().dim();
    let images: Vec<f32> = (0..3 * dim).map(|value| (value as f32 * 0.7).sin()).collect();
    let images = Embeddings::new(dim, images);
    let mut rows = 0;
    head.for_each_logits(&images, &device(), |row, logits| {
        let image = images.row(row).unwrap();
        let dot = |class: &[f32]| image.iter().zip(class).map(|(a, b)| a * b).sum::<f32>();
        let expected: Vec<f32> = head.weights().rows().map(dot).collect();
        assert_near(logits, &expected, 1e-5);
        rows += 1;
        Ok::<(), HeadError>(())
    })
    .unwrap();
    assert_eq!(rows, 3);
}

#[test]
fn embeddings_of_another_model_are_refused() {
    let head = Head::zero_shot(&model(2), &classes(), &Templates::default(), 64).unwrap();
    let foreign = Embeddings::new(5, vec![0.0; 10]);
    let take = |_: usize, _: &[f32]| Ok::<(), HeadError>(());
    let error = head.for_each_logits(&foreign, &device(), take).unwrap_err();
    assert!(matches!(error, HeadError::Dim { expected: 12, found: 5 }), "{error}");
}

#[test]
fn rows_must_be_as_many_as_classes_and_finite() {
    let rows = |values: Vec<f32>| Embeddings::new(1, values);
    let few = Head::new(classes(), Vec::new(), rows(vec![0.0; 3]));
    assert!(matches!(few, Err(HeadError::Rows { expected: 4, found: 3 })));
    let nan = Head::new(classes(), Vec::new(), rows(vec![0.0, f32::NAN, 0.0, 0.0]));
    assert!(matches!(nan, Err(HeadError::NotFinite { class }) if class == "grass"));
}

#[test]
fn a_saved_classifier_is_loaded_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let head = Head::zero_shot(&model(2), &classes(), &templates(), 64).unwrap();
    head.save(dir.path()).unwrap();
    assert_eq!(Head::load(dir.path()).unwrap(), head);
    // Saving again replaces both files and leaves no other file.
    head.save(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn mismatched_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let head = Head::zero_shot(&model(2), &classes(), &Templates::default(), 64).unwrap();
    head.save(dir.path()).unwrap();
    let other = Classes::from_names(["a", "b", "c", "d"]).unwrap();
    std::fs::write(dir.path().join(CLASSES_FILE), other.to_json()).unwrap();
    let message = Head::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains(CLASSIFIER_FILE) && message.contains(CLASSES_FILE), "{message}");

    let bytes = std::fs::read(dir.path().join(CLASSIFIER_FILE)).unwrap();
    std::fs::write(dir.path().join(CLASSES_FILE), classes().to_json()).unwrap();
    std::fs::write(dir.path().join(CLASSIFIER_FILE), &bytes[..bytes.len() / 2]).unwrap();
    let message = Head::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains(CLASSIFIER_FILE), "{message}");

    std::fs::remove_file(dir.path().join(CLASSES_FILE)).unwrap();
    let message = Head::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains(CLASSES_FILE), "{message}");
}
