//! Adapted and merged models against embeddings recorded from PyTorch. The folder is the one that `RADAPTER_GOLDEN` names,
//! else `../shared/golden/clip-small` beside the repository; sizes come from its files.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{AdapterFile, Alpha, BaseMatch, attach_trained, merge, merge_checked, merge_state, with_alpha};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, Clip, Context};
use safetensors::SafeTensors;

use crate::support::{distance, numbers};

const TOLERANCE: f32 = 5e-6;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("RADAPTER_GOLDEN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/clip-small"), PathBuf::from);
    if folder.join("expected.safetensors").exists() {
        return Some(folder);
    }
    eprintln!("skipped: no expected.safetensors in {}", folder.display());
    None
}

struct Expected<'a>(SafeTensors<'a>);

impl Expected<'_> {
    fn bytes<const N: usize>(&self, name: &str) -> (Vec<usize>, Vec<[u8; N]>) {
        let view = self.0.tensor(name).unwrap();
        let (chunks, rest) = view.data().as_chunks::<N>();
        assert!(rest.is_empty());
        (view.shape().to_vec(), chunks.to_vec())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.bytes(name).1.into_iter().map(f32::from_le_bytes).collect()
    }

    fn tokens(&self) -> Vec<Vec<u32>> {
        let (shape, values) = self.bytes("tokens");
        values.chunks(shape[1]).map(|row| row.iter().map(|id| i32::from_le_bytes(*id) as u32).collect()).collect()
    }

    fn pixels(&self) -> Tensor<4> {
        let (shape, _) = self.bytes::<4>("pixels");
        Tensor::from_data(TensorData::new(self.values("pixels"), shape), &Device::flex())
    }

    /// The α of every recorded merge of this kind of adapter.
    fn alphas(&self, kind: &str) -> Vec<String> {
        let (prefix, suffix) = (format!("merged_{kind}_alpha"), "_image");
        let strip = |name: &str| Some(name.strip_prefix(&prefix)?.strip_suffix(suffix)?.to_owned());
        let mut alphas: Vec<String> = self.0.names().into_iter().filter_map(strip).collect();
        alphas.sort();
        alphas
    }

    fn error<A: Adapter>(&self, model: &Clip<A>, name: &str) -> f32 {
        let context = Context::inference();
        let image = numbers(model.encode_image(self.pixels(), &context));
        let text = numbers(model.encode_text(&self.tokens(), &context));
        distance(&image, &self.values(&format!("{name}_image")))
            .max(distance(&text, &self.values(&format!("{name}_text"))))
    }
}

#[test]
fn adapted_and_merged_models_equal_pytorch() {
    let Some(folder) = folder() else { return };
    let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let expected = Expected(SafeTensors::deserialize(&bytes).unwrap());
    let checkpoint = Checkpoint::open(folder.join("open_clip"), None).unwrap();
    let device = Device::flex();
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &device).unwrap();

    for (kind, file) in [("full", "adapters_full_rank.safetensors"), ("rank4", "adapters_rank4.safetensors")] {
        let file = AdapterFile::read(folder.join(file)).unwrap();
        let hash = checkpoint.state.hash();
        assert_eq!(file.check_base(&hash, &checkpoint.config).unwrap(), BaseMatch::Unknown);
        let model = attach_trained(clip.clone(), &file.adapters).unwrap();
        let alphas = expected.alphas(kind);
        assert!(!alphas.is_empty());
        for text in alphas {
            let alpha: Alpha = text.parse().unwrap();
            let name = format!("merged_{kind}_alpha{text}");
            let state = merge_state(&checkpoint.state, &file.adapters, alpha, &device).unwrap();
            let checked = merge_checked(&model, alpha).unwrap();
            let errors = [
                expected.error(&with_alpha(model.clone(), alpha), &name),
                expected.error(&merge(&model, alpha).unwrap(), &name),
                expected.error(&Clip::from_state(&checkpoint.config, &state, &device).unwrap(), &name),
            ];
            eprintln!(
                "{name}: adapted, merged, merged state {errors:?}; probe before and after merging {:e}",
                checked.difference
            );
            assert!(errors.iter().all(|error| *error <= TOLERANCE), "{name}: {errors:?}");
        }
    }
}
