//! Connected components of label maps.

use super::Mask;

/// Returns the connected components of each label with at least `min_area` pixels, except of the ignored label: topmost first, then
/// leftmost. Pixels are 4-connected: things that touch only at a corner are separate.
///
/// # Shapes
/// `labels`: `[height · width]`, row by row
///
/// # Panics
/// If the number of labels differs from the number of pixels.
pub fn components(labels: &[u16], width: usize, height: usize, ignored: u16, min_area: usize) -> Vec<(u16, Mask)> {
    assert_eq!(labels.len(), width * height, "labels and pixels");
    let mut is_seen = vec![false; labels.len()];
    let mut found = Vec::new();
    let (mut waiting, mut part) = (Vec::new(), Vec::new());
    for start in 0..labels.len() {
        let label = labels[start];
        if is_seen[start] || label == ignored {
            continue;
        }
        part.clear();
        is_seen[start] = true;
        waiting.push(start);
        while let Some(pixel) = waiting.pop() {
            part.push(pixel);
            let column = pixel % width;
            let neighbours = [
                (column > 0).then(|| pixel - 1),
                (column + 1 < width).then_some(pixel + 1),
                pixel.checked_sub(width),
                Some(pixel + width).filter(|below| *below < labels.len()),
            ];
            for next in neighbours.into_iter().flatten() {
                if !is_seen[next] && labels[next] == label {
                    is_seen[next] = true;
                    waiting.push(next);
                }
            }
        }
        if part.len() >= min_area.max(1) {
            let mut bits = vec![false; labels.len()];
            part.iter().for_each(|&pixel| bits[pixel] = true);
            found.push((label, Mask { width, height, bits }));
        }
    }
    found
}
