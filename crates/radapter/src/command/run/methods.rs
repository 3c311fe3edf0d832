//! `methods`: the fine-tuning methods.

use radapter_methods::METHODS;
use serde::Serialize;

use crate::command::args::MethodsArgs;
use crate::command::compare::contender::CONTENDERS;
use crate::command::output;
use crate::tasks::{TASKS, methods};

#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    about: String,
    /// `None` for a method of `compare` alone.
    source: Option<&'static str>,
    /// What a run produces.
    output: Option<String>,
    /// The command that has the method: `train`, and then also `compare`, or `compare` alone.
    command: &'static str,
    tasks: Vec<&'static str>,
}

pub(super) fn run(args: &MethodsArgs) -> anyhow::Result<()> {
    let listed = METHODS.iter().map(|method| Listed {
        name: method.name(),
        about: method.about().to_owned(),
        source: Some(method.source()),
        output: Some(method.output().to_string()),
        command: "train",
        tasks: TASKS
            .iter()
            .filter(|task| methods(**task).any(|own| own.name() == method.name()))
            .map(|task| task.name())
            .collect(),
    });
    let of_compare = CONTENDERS.iter().filter_map(|contender| {
        let tasks = TASKS.iter().filter(|task| contender.is_for(**task)).map(|task| task.name()).collect();
        Some(Listed {
            name: contender.name,
            about: contender.about()?,
            source: None,
            output: None,
            command: "compare",
            tasks,
        })
    });
    let listed: Vec<Listed> = listed.chain(of_compare).collect();
    if args.json.json {
        return output::print_json(&listed);
    }
    let text = |method: &Listed| {
        let Listed { name, about, source, output, tasks, .. } = method;
        let from = match (source, output) {
            (Some(source), Some(output)) => format!("{source}; gives {output}"),
            _ => "in `radapter compare` only".to_owned(),
        };
        format!("{name}\n    {about}\n    {from}\n    for {}", tasks.join(", "))
    };
    output::print(&listed.iter().map(text).collect::<Vec<_>>().join("\n\n"))
}
