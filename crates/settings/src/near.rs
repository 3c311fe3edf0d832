//! "Did you mean": the known words that resemble an unknown one.

/// Returns the end of a message about an unknown word: the known ones that resemble it, else all of them.
pub fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    let is_near = |name: &str| strsim::levenshtein(word, name) <= 1 + last_part(word).len() / 4;
    let is_like = |name: &str| is_near(name) || last_part(name) == last_part(word) || name == initials(word);
    let close: Vec<&str> = known.iter().copied().filter(|name| is_like(name)).collect();
    if close.is_empty() {
        format!("; expected one of {}", known.join(", "))
    } else {
        format!("; did you mean {}?", close.join(" or "))
    }
}

/// `lr` of `learning_rate`.
fn initials(word: &str) -> String {
    let parts = word.split('_').filter_map(|part| part.chars().next());
    if word.contains('_') { parts.collect() } else { String::new() }
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let known = ["lr", "epochs", "batch_size", "loss.margin", "warmup"];
        for (word, expected) in [
            ("epoch", "; did you mean epochs?"),
            ("batchsize", "; did you mean batch_size?"),
            ("margin", "; did you mean loss.margin?"),
            ("learning_rate", "; did you mean lr?"),
            ("colour", "; expected one of batch_size, epochs, loss.margin, lr, warmup"),
        ] {
            assert_eq!(hint(word, known.into_iter()), expected, "{word}");
        }
    }
}
