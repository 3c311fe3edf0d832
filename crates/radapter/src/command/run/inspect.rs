//! `inspect`: describes a model, an adapter file or a run, without computing anything.

use std::path::Path;

use radapter_adapter::{AdapterFile, AdapterSet, FORMAT, MapWeights};
use radapter_clip::checkpoint::{Checkpoint, read_safetensors};
use radapter_clip::config::{Activation, ClipConfig};
use radapter_report::{duration, grouped, percent};
use radapter_training::{Line, RunDir, ValidationLine, read_metrics};
use serde_json::{Value, json};

use crate::command::args::{InspectArgs, ModelRef};
use crate::command::{model, output};

/// The same facts as JSON and as lines of text.
struct Facts {
    json: Value,
    lines: Vec<(&'static str, String)>,
}

pub(super) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let facts = match &args.what {
        ModelRef::Path(path) if model::is_run(path) => of_run(path)?,
        ModelRef::Path(path) if is_adapter_file(path) => of_adapters(path)?,
        what => of_model(what, &model::checkpoint(what, &args.arch)?),
    };
    if args.json.json {
        return output::print_json(&facts.json);
    }
    output::print(&output::aligned(&facts.lines))
}

/// Whether a file's metadata says that it holds adapters.
fn is_adapter_file(path: &Path) -> bool {
    path.is_file()
        && read_safetensors(path).is_ok_and(|file| {
            let format = file.metadata.get("format");
            format.is_some_and(|format| format == FORMAT)
        })
}

fn of_model(what: &ModelRef, checkpoint: &Checkpoint) -> Facts {
    let Checkpoint { config, state, dtype, format } = checkpoint;
    let hash = state.hash();
    let parameters = config.parameters();
    // Strict reading guarantees that the scale exists and has one value.
    let scale = state.get("logit_scale").map(|scale| scale.to_f32());
    let scale = scale.and_then(|scale| scale.first().copied()).unwrap_or(0.0).exp();
    let mut lines = vec![
        ("model", what.to_string()),
        ("format", format.to_string()),
        ("stored as", dtype.to_string()),
        ("parameters", grouped(parameters as u64)),
    ];
    lines.extend(architecture(config));
    lines.push(("logit scale", format!("{scale:.2} (temperature {:.4})", 1.0 / scale)));
    lines.push(("hash", hash.clone()));
    let json = json!({
        "kind": "model",
        "model": what.to_string(),
        "format": format.to_string(),
        "dtype": dtype,
        "hash": hash,
        "parameters": parameters,
        "logit_scale": scale,
        "config": config,
    });
    Facts { json, lines }
}

fn architecture(config: &ClipConfig) -> [(&'static str, String); 3] {
    let (vision, text) = (&config.vision, &config.text);
    let activation = match config.activation {
        Activation::Gelu => "GELU",
        Activation::QuickGelu => "QuickGELU",
    };
    [
        (
            "image tower",
            format!(
                "{size} px in patches of {patch}, {layers} layers of width {width}, {heads} heads",
                size = vision.image_size,
                patch = vision.patch_size,
                layers = vision.layers,
                width = vision.width,
                heads = vision.heads,
            ),
        ),
        (
            "text tower",
            format!(
                "{context} tokens, {layers} layers of width {width}, {heads} heads",
                context = text.context_length,
                layers = text.layers,
                width = text.width,
                heads = text.heads,
            ),
        ),
        ("embedding", format!("{}, {activation}", config.embed_dim)),
    ]
}

fn of_adapters(path: &Path) -> anyhow::Result<Facts> {
    let AdapterFile { adapters, base, config } = AdapterFile::read(path)?;
    let mut places = Vec::new();
    let mut scales = Vec::new();
    for (place, weights) in adapters.iter() {
        scales.push(weights.scale.unwrap_or(1.0));
        places.push(json!({
            "place": place.to_string(),
            "width": weights.width(),
            "rank": rank(&weights.map),
            "scale": weights.scale.unwrap_or(1.0),
        }));
    }
    let parameters = adapters.parameters();
    let ranks = ranks(&adapters);
    let (least, most) = scales
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), &scale| (least.min(scale), most.max(scale)));
    let unknown = "unknown; the file does not record the model it was trained on".to_owned();
    let lines = vec![
        ("adapters", path.display().to_string()),
        ("rank", ranks.join(", ")),
        ("places", format!("{}: {}", adapters.len(), summary(&adapters))),
        ("scale", format!("{least:.4} to {most:.4}")),
        ("parameters", grouped(parameters as u64)),
        ("base hash", base.clone().unwrap_or(unknown)),
    ];
    let json = json!({
        "kind": "adapters",
        "path": path.display().to_string(),
        "format": FORMAT,
        "rank": ranks,
        "places": places,
        "parameters": parameters,
        "base_hash": base,
        "config": config,
    });
    Ok(Facts { json, lines })
}

/// `full`, or the inner dimension.
fn rank(map: &MapWeights) -> Value {
    match map {
        MapWeights::Full(_) => json!("full"),
        MapWeights::Low { down, .. } => json!(down.shape()[0]),
    }
}

/// The ranks that occur, each once.
fn ranks(adapters: &AdapterSet) -> Vec<String> {
    let mut ranks: Vec<String> = Vec::new();
    for (_, weights) in adapters.iter() {
        let rank = match rank(&weights.map) {
            Value::String(word) => word,
            number => number.to_string(),
        };
        if !ranks.contains(&rank) {
            ranks.push(rank);
        }
    }
    ranks
}

/// The number of adapters at each kind of place.
fn summary(adapters: &AdapterSet) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for (place, _) in adapters.iter() {
        let kind = format!("{} {}", place.tower, place.site);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    kinds.join(", ")
}

fn of_run(path: &Path) -> anyhow::Result<Facts> {
    let run = RunDir::open(path)?;
    let record = run.record()?;
    let report = run.report()?;
    let metrics = if run.metrics().is_file() { read_metrics(&run.metrics())? } else { Vec::new() };
    let (mut train, mut validation, mut base, mut start) = (None, None, None, None);
    for line in &metrics {
        match line {
            Line::Train(line) => train = Some(line),
            Line::Validation(line) if line.start => start = Some(line),
            Line::Validation(line) if line.step == 0 => base = Some(line),
            Line::Validation(line) => validation = Some(line),
        }
    }
    let step = train.map_or(0, |line| line.step);
    let steps = record.train()?.total_steps(record.samples);
    let state = match (&report, record.soup.len()) {
        (None, 1..) => format!("a soup of {} runs", record.soup.len()),
        (Some(_), _) => format!("finished, {step} of {steps} steps"),
        (None, 0) => format!("unfinished, {step} of {steps} steps"),
    };
    let mut lines = vec![
        ("run", path.display().to_string()),
        ("state", state),
        ("task", record.task.clone()),
        ("training samples", record.samples.to_string()),
        ("base hash", record.base_hash.clone()),
    ];
    lines.extend(record.from.iter().map(|from| ("started from", from.clone())));
    lines.extend(record.soup.iter().map(|run| ("mean of", run.clone())));
    lines.extend(record.units().map(|units| ("bf16 computed by", units)));
    if let Some(line) = train {
        lines.push(("loss", format!("{:.4}", line.loss)));
    }
    let values = |line: &ValidationLine| {
        let value = |(name, value): (&String, &Value)| Some(format!("{name} {}", percent(value.as_f64()?)));
        line.values.iter().filter_map(value).collect::<Vec<_>>().join(", ")
    };
    if let Some(line) = base {
        lines.push(("base model", values(line)));
    }
    if let Some(line) = start {
        lines.push(("before the first step", values(line)));
    }
    if let Some(line) = validation {
        lines.push(("validation", format!("{} after step {}", values(line), line.step)));
    }
    if let Some(report) = &report {
        if let Some(best) = &report.best {
            lines.push(("best", format!("{} {} after step {}", best.metric, percent(best.value), best.step)));
        }
        lines.push(("tuned parameters", grouped(report.tuned_parameters as u64)));
        lines.push(("time", duration(report.seconds)));
    }
    lines.extend(architecture(&record.architecture));
    lines.extend([("settings", format!("{}/config.toml", path.display()))]);
    let json = json!({
        "kind": "run",
        "path": path.display().to_string(),
        "finished": report.is_some() || !record.soup.is_empty(),
        "step": step,
        "steps": steps,
        "samples": record.samples,
        "base_hash": record.base_hash,
        "config": record,
        "metrics": { "train": train, "validation": validation, "base": base, "start": start },
        "report": report,
    });
    Ok(Facts { json, lines })
}
