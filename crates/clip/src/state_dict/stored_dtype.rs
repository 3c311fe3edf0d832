//! The dtypes of stored tensors.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// The dtype of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredDtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
}

impl StoredDtype {
    /// Bytes of one value.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// Returns torch's short name: `f32`, `f16`, `bf16`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
        }
    }
}

impl std::fmt::Display for StoredDtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl StoredDtype {
    /// Converts stored values to f32.
    pub(super) fn read(self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Self::F32 => {
                let stored = bytes.as_chunks::<4>().0;
                values.iter_mut().zip(stored).for_each(|(value, &bytes)| *value = f32::from_le_bytes(bytes));
            }
            // As a slice, of which the processor converts several values at once.
            Self::F16 => {
                let stored: Vec<f16> =
                    bytes.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes)).collect();
                stored.convert_to_f32_slice(values);
            }
            Self::BF16 => {
                let stored: Vec<bf16> =
                    bytes.as_chunks::<2>().0.iter().map(|&bytes| bf16::from_le_bytes(bytes)).collect();
                stored.convert_to_f32_slice(values);
            }
        }
    }

    /// Whether any value is NaN or infinite. Reads all of them, because a loop with an early exit is not vectorised.
    pub(super) fn has_full_exponent(self, bytes: &[u8]) -> bool {
        let short = |mask: u16| {
            let full = |&bytes: &[u8; 2]| u16::from_le_bytes(bytes) & mask == mask;
            bytes.as_chunks::<2>().0.iter().fold(false, |any, bytes| any | full(bytes))
        };
        match self {
            Self::F32 => {
                let full = |&bytes: &[u8; 4]| u32::from_le_bytes(bytes) & 0x7f80_0000 == 0x7f80_0000;
                bytes.as_chunks::<4>().0.iter().fold(false, |any, bytes| any | full(bytes))
            }
            Self::F16 => short(0x7c00),
            Self::BF16 => short(0x7f80),
        }
    }
}
