//! Sine and cosine from additions and multiplications alone.
//!
//! The `sin` of the standard library is the platform's, and platforms differ in the last bit, which a world that is pinned by a
//! hash cannot tolerate. IEEE 754 defines `+ − × ÷ √` and rounding to an integer exactly, so results are the same everywhere.

/// Returns the largest integer not above `x`, as integer and as float. (`f32::floor` is a library call on x86-64 without SSE 4.1.)
pub(crate) fn floor(x: f32) -> (i32, f32) {
    let cut = x as i32;
    let below = if (cut as f32) > x { cut - 1 } else { cut };
    (below, below as f32)
}

/// Computes sin(2π·`turns`), to about 0.001: a parabola, corrected by its own square. Exactly 0 and ±1 at the quarter turns.
pub(crate) fn sin(turns: f32) -> f32 {
    let t = turns - floor(turns + 0.5).1;
    let parabola = 8.0 * t - 16.0 * t * t.abs();
    0.225 * (parabola * parabola.abs() - parabola) + parabola
}

/// Computes cos(2π·`turns`), to about 0.001.
pub(crate) fn cos(turns: f32) -> f32 {
    sin(turns + 0.25)
}

/// Returns 0 below `low`, 1 above `high`, a smooth cubic between.
pub(crate) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    #[test]
    fn floor_matches_the_library() {
        for x in [-2.5, -2.0, -0.1, 0.0, 0.9, 1.0, 700.25_f32] {
            assert_eq!(super::floor(x), (x.floor() as i32, x.floor()));
        }
    }

    #[test]
    fn close_to_the_real_functions() {
        for step in -400..400 {
            let turns = step as f32 / 97.0;
            let angle = f64::from(turns) * std::f64::consts::TAU;
            assert!((f64::from(super::sin(turns)) - angle.sin()).abs() < 2e-3);
            assert!((f64::from(super::cos(turns)) - angle.cos()).abs() < 2e-3);
        }
        assert_eq!([super::sin(0.0), super::sin(0.25), super::sin(0.75), super::cos(0.5)], [0.0, 1.0, -1.0, -1.0]);
    }
}
