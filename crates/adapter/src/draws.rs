//! Random numbers as a function of their purpose and place.

use radapter_clip::model::{Place, Site, Tower};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The purpose of a draw: the numbers of one never depend on those of another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Initial,
    Dropping,
    Path,
}

/// A stream of random numbers of its own for each purpose, seed, step and place.
///
/// The coordinates are side by side in ChaCha's 32-byte key, so that two streams are the same only if all their
/// coordinates are. No generator of the device and no state that outlives the call takes part.
pub(crate) fn stream(purpose: Purpose, seed: u64, step: u64, place: Place) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&step.to_le_bytes());
    key[16..24].copy_from_slice(&(place.layer as u64).to_le_bytes());
    key[24] = match place.tower {
        Tower::Visual => 0,
        Tower::Text => 1,
    };
    key[25] = match place.site {
        Site::Attn => 0,
        Site::Mlp => 1,
    };
    key[26..].copy_from_slice(match purpose {
        Purpose::Initial => b"adp-in",
        Purpose::Dropping => b"adp-dr",
        Purpose::Path => b"adp-pa",
    });
    ChaCha8Rng::from_seed(key)
}

/// Uniform in `[0, 1)`, a multiple of 2⁻⁵³.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coordinate_makes_another_stream() {
        let place = |tower, layer, site| Place { tower, layer, site };
        let home = place(Tower::Visual, 0, Site::Attn);
        let first = |purpose, seed, step, place| stream(purpose, seed, step, place).next_u64();
        let draws = [
            first(Purpose::Dropping, 0, 0, home),
            first(Purpose::Initial, 0, 0, home),
            first(Purpose::Path, 0, 0, home),
            first(Purpose::Dropping, 1, 0, home),
            first(Purpose::Dropping, 0, 1, home),
            first(Purpose::Dropping, 0, 0, place(Tower::Text, 0, Site::Attn)),
            first(Purpose::Dropping, 0, 0, place(Tower::Visual, 1, Site::Attn)),
            first(Purpose::Dropping, 0, 0, place(Tower::Visual, 0, Site::Mlp)),
        ];
        for (index, draw) in draws.iter().enumerate() {
            assert!(!draws[..index].contains(draw), "{draws:?}");
        }
        assert_eq!(draws[0], first(Purpose::Dropping, 0, 0, home));
    }

    /// Runs are resumed by later versions too: the numbers may not change. These are another program's ChaCha8.
    #[test]
    fn the_numbers_stay_what_they_are() {
        let place = Place { tower: Tower::Text, layer: 3, site: Site::Mlp };
        let mut rng = stream(Purpose::Dropping, 42, 7, place);
        assert_eq!([uniform(&mut rng), uniform(&mut rng)], [0.227_394_237_299_034_85, 0.879_131_896_085_802_7]);
    }
}
