//! Selection of the best regions of the hierarchies, with near-duplicates merged.

use super::bits::Bits;

/// Region of a hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) bits: Bits,
    pub(super) extent: Extent,
    pub(super) area: usize,
    /// Mean colour difference across its border.
    pub(super) contrast: f32,
}

/// Smallest box around a region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    left: usize,
    top: usize,
    /// Exclusive, as is `bottom`.
    right: usize,
    bottom: usize,
}

impl Extent {
    pub(super) const NONE: Self = Self { left: usize::MAX, top: usize::MAX, right: 0, bottom: 0 };

    pub(super) fn of_pixel(x: usize, y: usize) -> Self {
        Self { left: x, top: y, right: x + 1, bottom: y + 1 }
    }

    /// Returns the box around both.
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Returns the intersection.
    fn meet(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    fn area(self) -> usize {
        self.right.saturating_sub(self.left) * self.bottom.saturating_sub(self.top)
    }
}

/// Candidate with its near-duplicates.
struct Kept {
    candidate: Candidate,
    rank: f32,
}

/// Selects the best candidates, merging those of at least `same` intersection over union.
pub(super) fn select(
    mut candidates: Vec<Candidate>,
    width: usize,
    smallest: usize,
    same: f64,
    most: usize,
) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.area >= smallest);
    // By size, so that near-duplicates are close in the list.
    candidates.sort_by(|a, b| b.area.cmp(&a.area).then(b.contrast.total_cmp(&a.contrast)));
    let mut kept: Vec<Kept> = Vec::new();
    let mut first = 0;
    for candidate in candidates {
        let rank = rank(&candidate);
        while first < kept.len() && (candidate.area as f64) < same * kept[first].candidate.area as f64 {
            first += 1;
        }
        let twin = kept[first..].iter_mut().find(|kept| is_same(&kept.candidate, &candidate, width, same));
        match twin {
            Some(twin) => twin.rank += rank,
            None => kept.push(Kept { candidate, rank }),
        }
    }
    kept.sort_by(|a, b| b.rank.total_cmp(&a.rank).then(b.candidate.area.cmp(&a.candidate.area)));
    kept.truncate(most);
    kept.into_iter().map(|kept| kept.candidate).collect()
}

/// Rates how much a region stands out from its surroundings, slightly higher for a larger one. It counts once per hierarchy that
/// found it, which mostly decides. Uses only square roots, which IEEE 754 defines exactly on all machines.
fn rank(candidate: &Candidate) -> f32 {
    candidate.contrast.sqrt().sqrt() * (candidate.area as f32).sqrt().sqrt().sqrt()
}

fn is_same(a: &Candidate, b: &Candidate, width: usize, same: f64) -> bool {
    // The intersection is at most that of the boxes, which mostly rules a pair out.
    let meet = a.extent.meet(b.extent);
    let all = a.area + b.area;
    let most = meet.area().min(a.area).min(b.area);
    if (most as f64) < same * (all - most) as f64 {
        return false;
    }
    let both = a.bits.both(&b.bits, meet.top * width..meet.bottom * width);
    both as f64 >= same * (all - both) as f64
}
