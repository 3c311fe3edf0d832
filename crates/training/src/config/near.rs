/// What to say after an unknown word: the known ones that resemble it, else all of them.
pub(super) fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    let close: Vec<&str> = known
        .iter()
        .copied()
        .filter(|name| distance(word, name) <= 1 + last_part(word).len() / 4 || last_part(name) == last_part(word))
        .collect();
    if close.is_empty() {
        format!("; known are {}", known.join(", "))
    } else {
        format!("; did you mean {}?", close.join(" or "))
    }
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
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
            ("colour", "; known are batch_size, epochs, loss.margin, lr, warmup"),
        ] {
            assert_eq!(hint(word, known.into_iter()), expected, "{word}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
