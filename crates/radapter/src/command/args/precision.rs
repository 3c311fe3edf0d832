//! `--precision`.

use std::sync::Once;

use anyhow::bail;
use clap::Args;
use radapter_clip::model::{Precision, PrecisionChoice};

use crate::command::Session;
use crate::command::device::{Chosen, Kind};

/// The precision of a computation without training.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PrecisionArg {
    /// Type of activations and weights: f32; bf16, with rounded results; or auto, bf16 on a CPU with AMX, else f32
    #[arg(long, value_name = "auto|f32|bf16", default_value = "f32", value_parser = parse)]
    pub(crate) precision: PrecisionChoice,
}

impl PrecisionArg {
    /// The default of commands that answer rather than measure.
    pub(crate) const AUTO: &str = PrecisionChoice::AUTO;

    /// The precision on the session's device; refused where the device does not support it.
    pub(crate) fn resolve(self, session: &Session) -> anyhow::Result<Precision> {
        on_device(self.precision, session)
    }

    /// The precision for an index that has one. `auto` takes it; any other that is asked for is left to the index to refuse.
    pub(crate) fn of_index(self, recorded: Option<Precision>, session: &Session) -> anyhow::Result<Precision> {
        match (self.precision, recorded) {
            (PrecisionChoice::Auto, Some(recorded)) => {
                let Chosen { device, name, .. } = session.first_device()?;
                if !recorded.is_supported(device) {
                    bail!(
                        "the index was created in {recorded}, which the device {name} does not support; use --device cpu, or \
                         create another index with --precision f32"
                    );
                }
                on_device(PrecisionChoice::Fixed(recorded), session)
            }
            // Before the index refuses it, the device's abilities do not matter.
            (PrecisionChoice::Fixed(asked), Some(recorded)) if asked != recorded => Ok(asked),
            (choice, _) => on_device(choice, session),
        }
    }
}

fn on_device(choice: PrecisionChoice, session: &Session) -> anyhow::Result<Precision> {
    let chosen = session.first_device()?;
    let precision = choice.resolve(&chosen.device);
    if !precision.is_supported(&chosen.device) {
        let name = &chosen.name;
        bail!("--precision {precision}: the device {name} does not support it; f32 works on every device");
    }
    if choice == PrecisionChoice::Auto && precision != Precision::F32 {
        tracing::info!("precision: {precision} (auto)");
    }
    warn_of_drawback(precision, chosen);
    Ok(precision)
}

/// Warns, once, of a precision that costs time on this device.
pub(crate) fn warn_of_drawback(precision: Precision, device: &Chosen) {
    static WARNED: Once = Once::new();
    if device.kind != Kind::Cpu {
        return;
    }
    let Some(drawback) = precision.drawback_on_cpu() else { return };
    WARNED.call_once(|| tracing::warn!("{precision} is no faster than f32 here: {drawback}"));
}

/// f16 is for training on GPUs, where gradients are scaled to its range.
fn parse(word: &str) -> Result<PrecisionChoice, String> {
    match word {
        PrecisionChoice::AUTO => Ok(PrecisionChoice::Auto),
        _ => match word.parse() {
            Ok(precision @ (Precision::F32 | Precision::Bf16)) => Ok(PrecisionChoice::Fixed(precision)),
            _ => Err("expected auto, f32 or bf16".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_inference() {
        assert_eq!(parse("auto"), Ok(PrecisionChoice::Auto));
        assert_eq!(parse("bf16"), Ok(PrecisionChoice::Fixed(Precision::Bf16)));
        for word in ["f16", "F32", "", "half"] {
            assert_eq!(parse(word), Err("expected auto, f32 or bf16".to_owned()), "{word}");
        }
    }
}
