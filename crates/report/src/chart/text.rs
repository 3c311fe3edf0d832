//! Text of unknown fonts: upper bounds of text widths, and line breaks.

/// Size of a chart's text in pixels.
pub(super) const SIZE: f64 = 13.0;

/// Estimated width in pixels, more than the usual sans-serif fonts need.
pub(super) fn width(text: &str) -> f64 {
    // Letters of East Asian scripts are as wide as they are high.
    text.chars().map(|letter| if letter < '\u{1100}' { 0.62 * SIZE } else { SIZE }).sum()
}

/// Breaks a text into lines of at most `room` pixels, at spaces where possible.
pub(super) fn wrapped(text: &str, room: f64) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        for (index, letter) in word.chars().enumerate() {
            let begins = index == 0 && !line.is_empty();
            let more = if begins { format!(" {word}") } else { letter.to_string() };
            if !line.is_empty() && width(&line) + width(&more) > room {
                lines.push(std::mem::take(&mut line));
            } else if begins {
                line.push(' ');
            }
            line.push(letter);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_their_room_and_lose_no_letter() {
        assert_eq!(wrapped("out of distribution", 1000.0), ["out of distribution"]);
        for room in [20.0, 60.0, 90.0, 200.0] {
            let lines = wrapped("average top-1 accuracy out of distribution", room);
            assert!(lines.iter().all(|line| width(line) <= room), "{room}: {lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), "averagetop-1accuracyoutofdistribution");
        }
        assert_eq!(wrapped("", 50.0), [""]);
        assert_eq!(wrapped("写真", 14.0), ["写", "真"]);
    }
}
