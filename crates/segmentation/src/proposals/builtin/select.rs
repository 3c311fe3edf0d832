use super::bits::Bits;

/// A region of a hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) bits: Bits,
    pub(super) area: usize,
    /// How far its formation and its end are apart.
    pub(super) lifetime: f32,
    /// Its place among the joins of its hierarchy, the last at 1.
    pub(super) late: f32,
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
    candidates.sort_by(|a, b| b.area.cmp(&a.area).then(b.lifetime.total_cmp(&a.lifetime)));
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

fn rank(candidate: &Candidate) -> f32 {
    candidate.lifetime * (0.2 + candidate.late)
}

fn is_same(a: &Candidate, b: &Candidate, same: f64) -> bool {
    let both = a.bits.both(&b.bits);
    both as f64 >= same * (a.area + b.area - both) as f64
}
