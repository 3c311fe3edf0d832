//! `methods`: the fine-tuning methods.

use radapter_methods::METHODS;
use serde::Serialize;

use crate::command::args::MethodsArgs;
use crate::command::output;
use crate::tasks::{TASKS, methods};

#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    source: &'static str,
    /// What a run produces.
    output: String,
    tasks: Vec<&'static str>,
}

pub(super) fn run(args: &MethodsArgs) -> anyhow::Result<()> {
    let listed = METHODS.iter().map(|method| Listed {
        name: method.name(),
        about: method.about(),
        source: method.source(),
        output: method.output().to_string(),
        tasks: TASKS
            .iter()
            .filter(|task| methods(**task).any(|own| own.name() == method.name()))
            .map(|task| task.name())
            .collect(),
    });
    let listed: Vec<Listed> = listed.collect();
    if args.json.json {
        return output::print_json(&listed);
    }
    let text = |method: &Listed| {
        let Listed { name, about, source, output, tasks } = method;
        format!("{name}\n    {about}\n    {source}; gives {output}\n    for {}", tasks.join(", "))
    };
    output::print(&listed.iter().map(text).collect::<Vec<_>>().join("\n\n"))
}
