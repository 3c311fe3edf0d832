//! `tokenize`: texts to token ids.

use radapter_clip::tokenizer::Tokenizer;

use crate::command::args::TokenizeArgs;
use crate::command::{output, texts};

/// Ids per text, the context length of all published CLIPs.
const CONTEXT: usize = 77;

pub(super) fn run(args: &TokenizeArgs) -> anyhow::Result<()> {
    output::check_writable(&args.out)?;
    let texts = texts::read(&args.texts.texts)?;
    let ids = Tokenizer::clip().encode_batch(&texts, CONTEXT);
    let mut json = serde_json::to_vec(&ids)?;
    json.push(b'\n');
    output::write_file(&args.out, &json)?;
    tracing::info!("{} texts → {}", texts.len(), args.out.display());
    Ok(())
}
