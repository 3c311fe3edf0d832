//! Brace patterns, also several and nested: `{000..010}` and `{a,b}`.

/// Maximum number of names in the expansion of a pattern.
const LIMIT: usize = 1_000_000;

/// Expands a pattern, the last brace varying fastest, or returns the problem.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let Some(open) = pattern.find(['{', '}']) else { return Ok(vec![pattern.to_owned()]) };
    let (head, brace) = pattern.split_at(open);
    let Some(inside) = brace.strip_prefix('{') else { return Err("`}` has no `{` before it".to_owned()) };
    let close = closing(inside).ok_or("`{` has no `}` after it")?;
    let choices = choices(&inside[..close])?;
    let tails = expand(&inside[close + 1..])?;
    if choices.len().saturating_mul(tails.len()) > LIMIT {
        return Err(too_many());
    }
    let names = choices.iter().flat_map(|choice| tails.iter().map(move |tail| format!("{head}{choice}{tail}")));
    Ok(names.collect())
}

/// Returns the position of the brace that closes the one before `inside`.
fn closing(inside: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Expands a brace.
fn choices(inside: &str) -> Result<Vec<String>, String> {
    let parts = parts(inside);
    if let [only] = parts[..] {
        return range(only);
    }
    let mut choices = Vec::new();
    for part in parts {
        choices.extend(expand(part)?);
    }
    Ok(choices)
}

/// Splits at commas outside inner braces.
fn parts(inside: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let at_comma = |letter: char| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    inside.split(at_comma).collect()
}

/// Expands `000..010`, downwards if the second number is smaller. If one starts with a zero, all are padded to the longer width.
fn range(inside: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("expected a range like `{{000..010}}` or a list like `{{a,b}}`, found `{{{inside}}}`");
    let (first, last) = inside.split_once("..").ok_or_else(wrong)?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if plain { digits.parse::<u64>().map_err(|_| wrong()) } else { Err(wrong()) }
    };
    let (from, to) = (number(first)?, number(last)?);
    if from.abs_diff(to) >= LIMIT as u64 {
        return Err(too_many());
    }
    let padded = [first, last].iter().any(|digits| digits.len() > 1 && digits.starts_with('0'));
    let width = if padded { first.len().max(last.len()) } else { 0 };
    let name = |number: u64| format!("{number:0width$}");
    Ok(if from <= to { (from..=to).map(name).collect() } else { (to..=from).rev().map(name).collect() })
}

fn too_many() -> String {
    format!("it expands to more than {LIMIT} files")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn braces_expand_as_in_a_shell() {
        for (pattern, expected) in [
            ("a.tar", &["a.tar"][..]),
            ("s/{008..011}.tar", &["s/008.tar", "s/009.tar", "s/010.tar", "s/011.tar"]),
            ("{8..11}", &["8", "9", "10", "11"]),
            ("{2..0}", &["2", "1", "0"]),
            ("{0..2}", &["0", "1", "2"]),
            ("{01..3}", &["01", "02", "03"]),
            ("{a,b}-{0..1}.tar", &["a-0.tar", "a-1.tar", "b-0.tar", "b-1.tar"]),
            ("{x,y{1..2},}z", &["xz", "y1z", "y2z", "z"]),
        ] {
            assert_eq!(expand(pattern).unwrap(), expected, "{pattern}");
        }
    }

    #[test]
    fn invalid_patterns_are_explained() {
        for (pattern, part) in [
            ("{0..3.tar", "`{` has no `}`"),
            ("0..3}.tar", "`}` has no `{`"),
            ("{abc}.tar", "expected a range like `{000..010}` or a list like `{a,b}`, found `{abc}`"),
            ("{a..c}.tar", "found `{a..c}`"),
            ("{1..}.tar", "found `{1..}`"),
            ("{+1..3}.tar", "found `{+1..3}`"),
            ("{0..99999999999999999999}", "found `{0..9"),
            ("{0..9999999}.tar", "more than 1000000 files"),
            ("{0..9999}{0..9999}.tar", "more than 1000000 files"),
        ] {
            let problem = expand(pattern).unwrap_err();
            assert!(problem.contains(part), "{pattern}: {problem}");
        }
    }
}
