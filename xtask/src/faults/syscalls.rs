//! The order of system calls: a file is synced before it gets its name, and its folder after.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::Args;
use super::cases::CASES;
use super::figures::Figures;
use super::intact::is_temporary;
use super::world::{World, is_installed};

/// Files that are appended to or locked in place, and so have their name from the start.
const IN_PLACE: [&str; 5] = ["lock", "pixels", "pixels.lock", "metrics.jsonl", "events.out.tfevents"];

pub(super) fn run(args: &Args, world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    if !is_installed("strace") {
        figures.skip("the order of system calls (no strace)".to_owned());
        return Ok(());
    }
    for case in CASES.iter().filter(|case| case.name.contains(&args.case)) {
        let out = world.fresh("traced")?;
        case.prepare(world, &out)?;
        let trace = world.path("trace");
        let log = trace.display().to_string();
        // `-y` prints the path of each file descriptor.
        let calls = "trace=openat,write,pwrite64,writev,ftruncate,fsync,fdatasync,rename,renameat,renameat2";
        let strace = ["strace", "-f", "-y", "-s", "0", "-e", calls, "-o", &log];
        let ended = world.finish(&mut world.under(&strace, &case.words(), &out))?;
        if !figures.check(ended.status == Some(0), || format!("{} fails under strace: {}", case.name, ended.end())) {
            continue;
        }
        let seen = Order::of(&std::fs::read_to_string(&trace)?, &out);
        for problem in &seen.problems {
            figures.finding(format!("{}: {problem}", case.name));
        }
        let outcome = format!("{} synced before and after; {} not", seen.renames - seen.wrong, seen.wrong);
        figures.row("renames (strace)", case.name, seen.renames, outcome);
    }
    Ok(())
}

/// What a trace shows of the files below a folder.
#[derive(Default)]
struct Order {
    renames: usize,
    /// Renames with a problem.
    wrong: usize,
    problems: Vec<String>,
    /// Files with bytes that are not synced.
    unsynced: BTreeSet<PathBuf>,
    /// Folders with names that are not synced, by their last new name.
    unnamed: BTreeMap<PathBuf, PathBuf>,
    /// The folder that must be synced next, because of a rename in it.
    due: Option<(PathBuf, PathBuf)>,
}

impl Order {
    fn of(trace: &str, root: &Path) -> Self {
        let mut order = Self::default();
        // A call that another thread interrupts is on two lines, of which the first has the arguments.
        let mut open: HashMap<&str, String> = HashMap::new();
        for line in trace.lines() {
            let Some((process, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
                open.insert(process, begun.to_owned());
            } else if call.starts_with("<... ") {
                let (Some(begun), Some((_, rest))) = (open.remove(process), call.split_once(" resumed>")) else {
                    continue;
                };
                order.call(&format!("{begun}{rest}"), root);
            } else {
                order.call(call, root);
            }
        }
        order.settle();
        order
    }

    fn call(&mut self, call: &str, root: &Path) {
        let Some((name, arguments)) = call.split_once('(') else { return };
        if call.contains(" = -1 ") {
            return;
        }
        // The path of the file descriptor that is the first argument.
        let described = || {
            let (_, rest) = arguments.split_once('<')?;
            let path = PathBuf::from(rest.split_once('>')?.0);
            path.starts_with(root).then_some(path)
        };
        let quoted = || arguments.split('"').skip(1).step_by(2).map(PathBuf::from).collect::<Vec<_>>();
        match name {
            "openat" if arguments.contains("O_CREAT") => {
                for path in quoted().into_iter().filter(|path| path.starts_with(root)) {
                    self.created(path, root);
                }
            }
            "write" | "pwrite64" | "writev" | "ftruncate" => self.unsynced.extend(described()),
            "fsync" | "fdatasync" => {
                let Some(path) = described() else { return };
                self.unsynced.remove(&path);
                self.unnamed.remove(&path);
                if self.due.as_ref().is_some_and(|(folder, _)| *folder == path) {
                    self.due = None;
                }
            }
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = &quoted()[..]
                    && to.starts_with(root)
                {
                    self.renamed(from, to, root);
                }
            }
            _ => {}
        }
    }

    fn created(&mut self, path: PathBuf, root: &Path) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !is_temporary(path.strip_prefix(root).unwrap_or(&path)) {
            if !IN_PLACE.iter().any(|own| name.starts_with(own)) {
                self.problems.push(format!("{name} is written under its final name"));
            }
            return;
        }
        self.unsynced.insert(path.clone());
        if let Some(folder) = path.parent() {
            self.unnamed.insert(folder.to_owned(), path.clone());
        }
    }

    fn renamed(&mut self, from: &Path, to: &Path, root: &Path) {
        let moved = |path: &PathBuf| path.starts_with(from);
        if is_temporary(to.strip_prefix(root).unwrap_or(to)) {
            return;
        }
        self.settle();
        self.renames += 1;
        let files: Vec<PathBuf> = self.unsynced.iter().filter(|path| moved(path)).cloned().collect();
        let folders: Vec<PathBuf> = self.unnamed.keys().filter(|path| moved(path)).cloned().collect();
        if let Some(path) = files.iter().chain(&folders).next() {
            self.wrong += 1;
            self.problems.push(format!("{} is not synced before it is renamed to {}", path.display(), to.display()));
        }
        self.unsynced.retain(|path| !moved(path));
        self.unnamed.retain(|path, _| !moved(path));
        self.due = to.parent().map(|folder| (folder.to_owned(), to.to_owned()));
    }

    /// Before the next rename, and before the end, the folder of the last one must have been synced.
    fn settle(&mut self) {
        if let Some((folder, to)) = self.due.take() {
            self.wrong += 1;
            self.problems.push(format!("{} is not synced after {} got its name", folder.display(), to.display()));
        }
    }
}
