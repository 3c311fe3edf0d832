//! Weights kept in the order that a matrix unit reads.

use std::fmt;

/// A cache beside a weight, for linears of bfloat16 on a processor with a matrix unit, which reads its right operand in blocks: the
/// weight in this order, and its transpose, for the gradient of the input. Without such a unit it stays empty.
///
/// A clone shares the cache. It is never stale: it holds the tensor that it was made from, and a weight with values elsewhere is packed
/// anew. Use one for each frozen weight; for trained weights, and those that a pass computes, it would only hold memory.
#[derive(Clone, Default)]
pub struct PackedWeight {
    #[cfg(feature = "flex")]
    cache: crate::flex::PackedCache,
}

#[cfg(feature = "flex")]
impl PackedWeight {
    pub(crate) fn cache(&self) -> &crate::flex::PackedCache {
        &self.cache
    }
}

impl fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackedWeight")
    }
}
