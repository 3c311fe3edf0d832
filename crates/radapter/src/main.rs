//! The `radapter` command.

mod allocator;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_memory();
    radapter::command::main()
}
