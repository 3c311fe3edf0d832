//! The machine that figures are measured on.

use std::process::Command;

/// The processor, its cores and vector extensions, and the day.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.split_once(':')).map(|(_, v)| v.trim());
    let model = field("model name").unwrap_or("unknown processor");
    let flags: Vec<&str> = field("flags").unwrap_or_default().split_whitespace().collect();
    let shown = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"];
    let shown: Vec<&str> = shown.into_iter().filter(|flag| flags.contains(flag)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let day =
        Command::new("date").arg("+%F").output().map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    format!("{model}, {threads} cores ({}), {}", shown.join(" "), day.unwrap_or_default())
}
