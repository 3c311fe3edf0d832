//! A run that the tests share.

use std::path::PathBuf;
use std::sync::LazyLock;

use super::{Folder, Invocation, classes_folder, radapter, tiny_model, write_suite};

/// The classes of the training images.
pub(crate) const CLASSES: [&str; 3] = ["big_cat", "dog", "zebra"];

/// Settings of a short run that changes the model visibly.
pub(crate) const SHORT: &str = "--set epochs=3 --set batch_size=8 --set lr=0.01 --set warmup=0 --set adapter.drop=0.2";

/// A finished run with its base model, images and a suite, made once for all tests.
pub(crate) struct Trained {
    folder: Folder,
}

impl Trained {
    pub(crate) fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.folder.join("model")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.folder.join("images")
    }

    pub(crate) fn suite(&self) -> PathBuf {
        self.folder.join("suite/suite.toml")
    }
}

/// Trains the tiny model on drawn images in `folder`, in f32 on every machine unless the settings say otherwise.
pub(crate) fn training(folder: &Folder, out: &str, settings: &str) -> Invocation {
    let (model, images) = (folder.join("model"), folder.join("images"));
    if !model.is_dir() {
        tiny_model(&model);
        classes_folder(&images, &CLASSES, 10, false);
    }
    radapter(&format!("train classification --set precision=f32 {settings}"))
        .with("--model", model)
        .with("--train", images)
        .with("--out", folder.join(out))
}

/// The shared run.
pub(crate) fn trained() -> &'static Trained {
    static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
        let folder = Folder::new();
        training(&folder, "run", &format!("{SHORT} --set alpha=0.5")).succeed();
        write_suite(&folder.join("suite"), &CLASSES, 4);
        Trained { folder }
    });
    &TRAINED
}
