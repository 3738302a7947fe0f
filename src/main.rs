//! The thin binary: hands the arguments to the library and the exit code to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    v6ready::cli::main(std::env::args_os()).into()
}
