use super::bits::Bits;

/// A region of a hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) bits: Bits,
    pub(super) area: usize,
    /// The mean difference of colours across its border.
    pub(super) contrast: f32,
}

/// A candidate and those that are nearly equal to it.
struct Kept {
    candidate: Candidate,
    rank: f32,
}

/// The best candidates, with those of at least `same` intersection over union taken together.
pub(super) fn select(mut candidates: Vec<Candidate>, smallest: usize, same: f64, most: usize) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.area >= smallest);
    // By size, so that those that may be equal stand together.
    candidates.sort_by(|a, b| b.area.cmp(&a.area).then(b.contrast.total_cmp(&a.contrast)));
    let mut kept: Vec<Kept> = Vec::new();
    let mut first = 0;
    for candidate in candidates {
        let rank = rank(&candidate);
        while first < kept.len() && (candidate.area as f64) < same * kept[first].candidate.area as f64 {
            first += 1;
        }
        let twin = kept[first..].iter_mut().find(|kept| is_same(&kept.candidate, &candidate, same));
        match twin {
            Some(twin) => twin.rank += rank,
            None => kept.push(Kept { candidate, rank }),
        }
    }
    kept.sort_by(|a, b| b.rank.total_cmp(&a.rank).then(b.candidate.area.cmp(&a.candidate.area)));
    kept.truncate(most);
    kept.into_iter().map(|kept| kept.candidate).collect()
}

/// How far a region stands out of its surroundings, a little more of a larger one. Found by several hierarchies it counts as often.
/// Roots alone, which IEEE 754 fixes on all machines: what decides is mostly the number of hierarchies.
fn rank(candidate: &Candidate) -> f32 {
    candidate.contrast.sqrt().sqrt() * (candidate.area as f32).sqrt().sqrt().sqrt()
}

fn is_same(a: &Candidate, b: &Candidate, same: f64) -> bool {
    let both = a.bits.both(&b.bits);
    both as f64 >= same * (a.area + b.area - both) as f64
}
