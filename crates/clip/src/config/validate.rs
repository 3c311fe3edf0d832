//! Checks that a config describes a network that can be built.

use super::{ClipConfig, ConfigError};

/// Largest plausible width, side or number of layers. The largest published CLIP is 15 times smaller in each.
const LARGEST: usize = 1 << 16;
/// Largest plausible vocabulary.
const LARGEST_VOCABULARY: usize = 1 << 22;
/// Largest plausible number of parameters: 2^40, 400 times the largest published CLIP. Within it, no product of sizes
/// overflows and no allocation is impossibly large.
const MOST_PARAMETERS: u128 = 1 << 40;
/// Smallest vocabulary that holds every id of the tokenizer.
const SMALLEST_VOCABULARY: usize = 49408;

impl ClipConfig {
    /// Checks that the sizes fit each other and are plausible.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first key that does not, with its path in this struct.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (vision, text) = (&self.vision, &self.text);
        for (key, size) in [
            ("embed_dim", self.embed_dim),
            ("vision.image_size", vision.image_size),
            ("vision.patch_size", vision.patch_size),
            ("vision.width", vision.width),
            ("vision.layers", vision.layers),
            ("vision.heads", vision.heads),
            ("vision.mlp_width", vision.mlp_width),
            ("text.context_length", text.context_length),
            ("text.width", text.width),
            ("text.heads", text.heads),
            ("text.layers", text.layers),
            ("text.mlp_width", text.mlp_width),
        ] {
            check((1..=LARGEST).contains(&size), key, || format!("1 to {LARGEST}"), size)?;
        }
        check(
            (SMALLEST_VOCABULARY..=LARGEST_VOCABULARY).contains(&text.vocab_size),
            "text.vocab_size",
            || format!("{SMALLEST_VOCABULARY} (the tokenizer's ids) to {LARGEST_VOCABULARY}"),
            text.vocab_size,
        )?;
        check(
            text.context_length >= 3,
            "text.context_length",
            || "at least 3 (start of text, one token, end of text)".into(),
            text.context_length,
        )?;
        divides(("vision.heads", vision.heads), ("vision.width", vision.width))?;
        divides(("text.heads", text.heads), ("text.width", text.width))?;
        divides(("vision.patch_size", vision.patch_size), ("vision.image_size", vision.image_size))?;
        for (key, eps) in
            [("vision.layer_norm_eps", vision.layer_norm_eps), ("text.layer_norm_eps", text.layer_norm_eps)]
        {
            check(eps > 0.0 && eps < 1.0, key, || "a number between 0 and 1".into(), eps)?;
        }
        self.validate_preprocess()?;

        let parameters = self.count_parameters();
        check(
            parameters <= MOST_PARAMETERS,
            "(all sizes)",
            || format!("at most {MOST_PARAMETERS} parameters"),
            parameters,
        )
    }

    fn validate_preprocess(&self) -> Result<(), ConfigError> {
        let (mean, std) = (self.preprocess.mean, self.preprocess.std);
        let finite = mean.iter().all(|value| value.is_finite());
        check(finite, "preprocess.mean", || "finite numbers".into(), format!("{mean:?}"))?;
        let positive = std.iter().all(|value| value.is_finite() && *value > 0.0);
        check(positive, "preprocess.std", || "finite numbers above 0".into(), format!("{std:?}"))
    }

    /// The sum over `expected_tensors`, in a type that no config overflows.
    fn count_parameters(&self) -> u128 {
        let tower = |width: usize, layers: usize, mlp_width: usize| {
            let (width, layers, mlp_width) = (width as u128, layers as u128, mlp_width as u128);
            layers * (4 * width * width + 2 * width * mlp_width + 9 * width + mlp_width)
        };
        let (vision, text) = (&self.vision, &self.text);
        let (wide, narrow) = (vision.width as u128, text.width as u128);
        let patch = vision.patch_size as u128;
        let image =
            wide * (3 * patch * patch + vision.grid() as u128 * vision.grid() as u128 + self.embed_dim as u128 + 6);
        let tokens = narrow * (text.vocab_size + text.context_length + self.embed_dim + 2) as u128;
        tower(vision.width, vision.layers, vision.mlp_width)
            + tower(text.width, text.layers, text.mlp_width)
            + image
            + tokens
            + 1
    }
}

fn divides(divisor: (&str, usize), whole: (&str, usize)) -> Result<(), ConfigError> {
    check(
        whole.1.is_multiple_of(divisor.1),
        divisor.0,
        || format!("a divisor of `{}` = {}", whole.0, whole.1),
        divisor.1,
    )
}

fn check(
    holds: bool,
    key: &str,
    expected: impl FnOnce() -> String,
    found: impl std::fmt::Display,
) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::Invalid { key: key.to_owned(), expected: expected(), found: found.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_parameters_are_those_of_the_expected_tensors() {
        for name in crate::config::PRESETS {
            let Ok(config) = ClipConfig::preset(name) else { panic!("{name} is a preset") };
            assert_eq!(config.count_parameters(), config.parameters() as u128, "{name}");
        }
    }
}
