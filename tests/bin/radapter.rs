//! The `radapter` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    radapter::command::main()
}
