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
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        for (index, letter) in word.chars().enumerate() {
            let line = lines.last_mut().expect("there is always a line");
            let fits = |line: &str, more: &str| width(line) + width(more) <= room;
            if index == 0 && !line.is_empty() {
                if fits(line, " ") && fits(line, &format!(" {word}")) {
                    line.push(' ');
                } else {
                    lines.push(String::new());
                }
            } else if !line.is_empty() && !fits(line, letter.encode_utf8(&mut [0; 4])) {
                lines.push(String::new());
            }
            lines.last_mut().expect("there is always a line").push(letter);
        }
    }
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
