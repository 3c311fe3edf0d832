//! The types of values that the kernels read and write.

use std::fmt::Debug;
use std::mem::MaybeUninit;

use burn::backend::flex::FlexTensor;
use burn::tensor::{Element, bf16};

/// f32, or bfloat16, whose values are f32 in registers: each is widened as it is read and rounded as it is written.
pub(super) trait Value: Copy + Debug + Default + Element + Send + Sync {
    fn get(self) -> f32;

    fn of(value: f32) -> Self;

    /// The nearest bfloat16.
    fn narrow(self) -> bf16;

    /// The values themselves, if they are f32.
    fn as_f32(values: &[Self]) -> Option<&[f32]>;

    /// Room for values, if they are f32.
    fn as_f32_room(room: &mut [MaybeUninit<Self>]) -> Option<&mut [MaybeUninit<f32>]>;

    /// The values of a tensor that are contiguous in memory.
    fn slice(x: &FlexTensor) -> Option<&[Self]>;

    /// All values in a tensor's storage, if it is not shared.
    fn storage(x: &mut FlexTensor) -> Option<&mut [Self]>;
}

impl Value for f32 {
    #[inline(always)]
    fn get(self) -> f32 {
        self
    }

    #[inline(always)]
    fn of(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn narrow(self) -> bf16 {
        <bf16 as Value>::of(self)
    }

    fn as_f32(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }

    fn as_f32_room(room: &mut [MaybeUninit<Self>]) -> Option<&mut [MaybeUninit<f32>]> {
        Some(room)
    }

    fn slice(x: &FlexTensor) -> Option<&[Self]> {
        x.as_slice()
    }

    fn storage(x: &mut FlexTensor) -> Option<&mut [Self]> {
        x.try_storage_mut()
    }
}

impl Value for bf16 {
    #[inline(always)]
    fn get(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// The nearest one, ties to even; without a branch, so that loops are vectorised.
    #[inline(always)]
    fn of(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        // A NaN would round to an infinity, or over it.
        let nan = (bits >> 16) | 0x40;
        Self::from_bits((if value.is_nan() { nan } else { rounded }) as u16)
    }

    #[inline(always)]
    fn narrow(self) -> bf16 {
        self
    }

    fn as_f32(_values: &[Self]) -> Option<&[f32]> {
        None
    }

    fn as_f32_room(_room: &mut [MaybeUninit<Self>]) -> Option<&mut [MaybeUninit<f32>]> {
        None
    }

    fn slice(x: &FlexTensor) -> Option<&[Self]> {
        x.as_slice()
    }

    fn storage(x: &mut FlexTensor) -> Option<&mut [Self]> {
        x.try_storage_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_type() {
        let values =
            [0.0, -0.0, 1.0, -1.5, 3.0e38, f32::MAX, f32::MIN_POSITIVE, 1.0e-40, f32::INFINITY, f32::NEG_INFINITY];
        // With ties between two neighbours, in both directions.
        let ties = [0x3f80_8000_u32, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff].map(f32::from_bits);
        for value in values.into_iter().chain(ties).chain((0..100_000).map(|at| (at as f32 * 0.731).sin() * 3.0)) {
            assert_eq!(bf16::of(value).to_bits(), bf16::from_f32(value).to_bits(), "{value}");
        }
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
            assert!(bf16::of(nan).is_nan() && bf16::of(nan).get().is_nan());
        }
        assert_eq!(bf16::from_f32(-2.75).get(), -2.75);
    }
}
