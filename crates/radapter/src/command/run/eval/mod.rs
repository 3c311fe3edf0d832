//! `eval`: what a model can do.

mod classification;
mod retrieval;
mod segmentation;

pub(super) use classification::print_set;
pub(super) use retrieval::{Source, trained_run};
pub(super) use segmentation::{Measured, Scene};

use crate::command::Session;
use crate::command::args::{EvalArgs, EvalTask};

pub(super) fn run(args: &EvalArgs, session: &Session) -> anyhow::Result<()> {
    match &args.task {
        EvalTask::Classification(args) => classification::run(args, session),
        EvalTask::Retrieval(args) => retrieval::run(args, session),
        EvalTask::Segmentation(args) => segmentation::run(args, session),
    }
}
