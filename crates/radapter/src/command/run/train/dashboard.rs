//! `--dashboard`: burn-train's terminal dashboard, fed from the same events as the progress bar.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use burn_train::Interrupter;
use burn_train::logger::TrainingProgressLogger;
use burn_train::metric::{MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use radapter_report::percent;
use radapter_training::{ProgressEvent, StepProgress};

use super::shown::Shown;
use crate::command::progress::Style;
use crate::command::{interrupt, log, panics, terminal};

/// burn-train's name for its drawing thread.
const RENDERER: &str = "train-renderer";
const LOSS: &str = "Loss";
const LR: &str = "Learning rate";
const THROUGHPUT: &str = "Samples per second";
/// Far more than the thread needs for its first frame.
const LONGEST_START: Duration = Duration::from_secs(5);

/// Whether there is a terminal to read keys from and to draw on.
pub(super) fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Training progress on the dashboard. Quitting it in any way interrupts the run and saves its state.
pub(super) struct Dashboard {
    /// Logs the run, and shows its progress if the dashboard cannot.
    shown: Shown,
    style: Style,
    /// The task's samples in the plural.
    unit: &'static str,
    interrupt: Arc<AtomicBool>,
    screen: Option<Screen>,
}

impl Dashboard {
    pub(super) fn new(style: Style, unit: &'static str, interrupt: Arc<AtomicBool>) -> Self {
        let beside = if style == Style::Bar { Style::Hidden } else { style };
        Self { shown: Shown::new(beside, unit), style, unit, interrupt, screen: None }
    }

    pub(super) fn event(&mut self, event: &ProgressEvent) {
        if let ProgressEvent::Started { done, steps, steps_per_epoch } = *event {
            self.screen = Some(Screen::open(done, steps, steps_per_epoch));
        }
        self.shown.event(event);
        let Some(screen) = &mut self.screen else {
            return;
        };
        // Once a user has chosen to kill the process, any call to burn-train panics.
        let is_killed = catch_unwind(AssertUnwindSafe(|| screen.event(event, &self.interrupt))).is_err();
        if is_killed || screen.interrupter.should_stop() {
            interrupt::ask(&self.interrupt);
        }
        if is_killed || matches!(event, ProgressEvent::Ended { .. }) {
            self.screen = None;
        } else if !screen.is_drawn() {
            let Screen { steps, steps_per_epoch, .. } = *screen;
            self.screen = None;
            tracing::warn!("cannot draw the dashboard; showing plain progress instead");
            self.shown = Shown::new(self.style, self.unit);
            if let ProgressEvent::Step(StepProgress { step: done, .. }) | ProgressEvent::Started { done, .. } = *event {
                self.shown.event(&ProgressEvent::Started { done, steps, steps_per_epoch });
            }
        }
    }
}

/// The dashboard, drawn by a thread of burn-train until this is dropped.
struct Screen {
    /// `Some` until the screen is dropped.
    renderer: Option<TuiMetricsRendererWrapper>,
    /// Set by the dashboard's stop key.
    interrupter: Interrupter,
    /// Names of the registered metrics. Their reference counts show whether the renderer's thread holds them.
    names: Vec<Arc<String>>,
    steps: u64,
    steps_per_epoch: u64,
    /// Log lines counted on the dashboard so far.
    lines: usize,
    says_interrupting: bool,
}

impl Screen {
    fn open(done: u64, steps: u64, steps_per_epoch: u64) -> Self {
        terminal::lend();
        let interrupter = Interrupter::new();
        let starting_epoch = (done / steps_per_epoch) as usize;
        let renderer = Some(TuiMetricsRendererWrapper::new(interrupter.clone(), Some(starting_epoch)));
        let names = Vec::new();
        let mut screen =
            Self { renderer, interrupter, names, steps, steps_per_epoch, lines: 0, says_interrupting: false };
        screen.register(LOSS, false);
        screen.register(LR, false);
        screen.register(THROUGHPUT, true);
        screen.label("training");
        let begun = Instant::now();
        // A name that waits to be registered has two owners: this vector and the renderer's queue.
        while Arc::strong_count(&screen.names[0]) == 2 && begun.elapsed() < LONGEST_START {
            thread::sleep(Duration::from_millis(1));
        }
        // Only now has the renderer's thread set up the terminal and a panic hook.
        terminal::keep_interrupt_key();
        panics::limit_hook_to(RENDERER);
        screen
    }

    /// Whether the renderer's thread still runs, and so still holds references to the names.
    fn is_drawn(&self) -> bool {
        Arc::strong_count(&self.names[0]) > 1
    }

    fn renderer(&mut self) -> &mut TuiMetricsRendererWrapper {
        self.renderer.as_mut().expect("it is taken when this is dropped, and never before")
    }

    fn event(&mut self, event: &ProgressEvent, interrupt: &AtomicBool) {
        for _ in self.lines..log::held() {
            self.lines += 1;
            self.renderer().log_event_training("Log lines".to_owned());
        }
        if interrupt.load(Ordering::SeqCst) && !self.says_interrupting {
            self.says_interrupting = true;
            self.label("interrupting, saving first");
        }
        match event {
            ProgressEvent::Step(step) => {
                let items = step.step - (step.epoch - 1) * self.steps_per_epoch;
                self.at(step.epoch, "train", items);
                self.plot(LOSS, false, step.loss, format!("{:.4}", step.loss));
                self.plot(LR, false, step.lr, format!("{:.3e}", step.lr));
                self.plot(THROUGHPUT, false, step.samples_per_second, format!("{:.1}", step.samples_per_second));
            }
            ProgressEvent::Validating { step } => {
                // burn-train keeps as many points of validations as their items are to those of an epoch.
                // The base model, of step 0, is shown as the first epoch's.
                self.at(step.div_ceil(self.steps_per_epoch).max(1), "valid", self.steps_per_epoch);
            }
            ProgressEvent::Validated { values, .. } => {
                for (name, value) in values {
                    self.register(name, true);
                    self.plot(name, true, *value, percent(*value));
                }
            }
            ProgressEvent::Saved { .. } => self.renderer().log_event_training("Saved states".to_owned()),
            _ => {}
        }
    }

    /// Sets the title of the status panel.
    fn label(&mut self, label: &str) {
        let epochs = self.steps.div_ceil(self.steps_per_epoch) as usize;
        self.renderer().start(epochs, 0, None, Some(label));
    }

    /// Sets the position of the run: the epoch, counted from 1, and the step within it.
    fn at(&mut self, epoch: u64, split: &str, items: u64) {
        let all = self.steps_per_epoch as usize;
        let renderer = self.renderer();
        renderer.update_epoch((epoch - 1) as usize);
        renderer.start_split(split, all);
        renderer.update_split(items as usize);
    }

    /// Registers a metric, which burn-train requires before its first value.
    fn register(&mut self, name: &str, higher_is_better: bool) {
        if self.names.iter().any(|known| **known == name) {
            return;
        }
        let name = Arc::new(name.to_owned());
        self.names.push(name.clone());
        let attributes = NumericAttributes { unit: None, higher_is_better }.into();
        let metric_id = metric_id(&name);
        self.renderer().register_metric(MetricDefinition { metric_id, name, description: None, attributes });
    }

    fn plot(&mut self, name: &str, is_validation: bool, value: f64, formatted: String) {
        let entry = MetricEntry::new(metric_id(name), SerializedEntry::new(formatted, value.to_string()));
        let state = MetricState::Numeric(entry, Some(NumericEntry::Value(value)));
        match is_validation {
            true => self.renderer().update_valid(state),
            false => self.renderer().update_train(state),
        }
    }
}

fn metric_id(name: &str) -> MetricId {
    MetricId::new(Arc::new(name.to_owned()))
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(renderer) = self.renderer.take() {
            // The renderer waits for its thread only where nothing panics, and panics itself after a kill; on a thread of its own
            // neither matters.
            let close = move || {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(renderer)));
                panics::restore_hook();
            };
            let _ = thread::Builder::new().spawn(close).map(thread::JoinHandle::join);
        }
        terminal::give_back();
    }
}
