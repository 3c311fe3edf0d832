//! PyTorch's `interpolate(mode="bicubic", align_corners=False)` without antialiasing.

/// Parameter of the cubic convolution (Keys, 1981), as in PyTorch.
const A: f32 = -0.75;

/// Returns for each output position the first of four input positions (it may lie before the image) and their weights.
fn taps(input: usize, output: usize) -> Vec<(i64, [f32; 4])> {
    let scale = input as f32 / output as f32;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let tap = |index: usize| {
        let position = scale * (index as f32 + 0.5) - 0.5;
        let first = position.floor();
        let t = position - first;
        (first as i64 - 1, [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)])
    };
    (0..output).map(tap).collect()
}

/// Resizes three planes to squares of `side`; positions outside the image take the value at its edge.
///
/// # Shapes
/// `[3, height, width]` → `[3, side, side]`
pub(super) fn resize(planes: &[f32], [width, height]: [usize; 2], side: usize) -> Vec<f32> {
    let (across, down) = (taps(width, side), taps(height, side));
    let at = |position: i64, length: usize| position.clamp(0, length as i64 - 1) as usize;
    let mut out = Vec::with_capacity(3 * side * side);
    let mut narrowed = vec![0.0_f32; side * height];
    for plane in planes.chunks_exact(width * height) {
        for (row, narrowed) in plane.chunks_exact(width).zip(narrowed.chunks_exact_mut(side)) {
            for ((first, weights), value) in across.iter().zip(narrowed) {
                *value = (0..4).map(|tap| weights[tap] * row[at(first + tap as i64, width)]).sum();
            }
        }
        for (first, weights) in &down {
            let rows: [&[f32]; 4] = std::array::from_fn(|tap| {
                let row = at(first + tap as i64, height) * side;
                &narrowed[row..row + side]
            });
            out.extend((0..side).map(|column| (0..4).map(|tap| weights[tap] * rows[tap][column]).sum::<f32>()));
        }
    }
    out
}
