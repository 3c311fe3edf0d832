//! How a model is written.

use radapter_clip::state_dict::StoredDtype;

use crate::OnnxError;

/// How a model is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxOptions {
    /// Version of ONNX's operators.
    pub opset: Opset,
    /// Type of weights and activations; inputs and outputs are f32.
    pub dtype: OnnxDtype,
    /// The files, and the towers in each.
    pub layout: Layout,
    /// Size in bytes from which the weights of a model are in a file of their own.
    pub most_bytes: usize,
}

impl OnnxOptions {
    /// The size of a protobuf message, which other programs refuse to read beyond this.
    pub const MOST_BYTES: usize = i32::MAX as usize;
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self { opset: Opset::default(), dtype: OnnxDtype::F32, layout: Layout::Towers, most_bytes: Self::MOST_BYTES }
    }
}

/// A supported version of ONNX's operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opset(i64);

impl Opset {
    /// The lowest supported version.
    pub const LOWEST: i64 = 18;
    /// The highest supported version.
    pub const HIGHEST: i64 = 23;

    /// Checks a version.
    ///
    /// # Errors
    /// [`OnnxError::Opset`] for a version that is not supported.
    pub fn new(version: i64) -> Result<Self, OnnxError> {
        match version {
            Self::LOWEST..=Self::HIGHEST => Ok(Self(version)),
            found => Err(OnnxError::Opset { found }),
        }
    }

    /// Returns the version.
    pub fn version(self) -> i64 {
        self.0
    }

    /// The version of the file format that ONNX published with this one of the operators.
    pub(crate) fn ir_version(self) -> i64 {
        match self.0 {
            ..=18 => 8,
            19..=20 => 9,
            21..=22 => 10,
            _ => 11,
        }
    }
}

/// The lowest version, which the most programs read.
impl Default for Opset {
    fn default() -> Self {
        Self(Self::LOWEST)
    }
}

/// The type of weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum OnnxDtype {
    F32,
    F16,
}

impl OnnxDtype {
    /// Returns the dtype of the stored weights.
    pub fn stored(self) -> StoredDtype {
        match self {
            Self::F32 => StoredDtype::F32,
            Self::F16 => StoredDtype::F16,
        }
    }

    /// transformers.js' name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "fp32",
            Self::F16 => "fp16",
        }
    }

    /// What transformers.js appends to the names of such files.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::F32 => "",
            Self::F16 => "_fp16",
        }
    }
}

/// The files, and the towers in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `vision_model.onnx` and `text_model.onnx`, whose embeddings are not normalized, as transformers' `CLIPVisionModelWithProjection`
    /// and `CLIPTextModelWithProjection`.
    Towers,
    /// `model.onnx` with normalized embeddings and the logits of all pairs, as transformers' `CLIPModel`.
    Single,
}
