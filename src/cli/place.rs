//! Where an installed program keeps its things, so that nobody has to name the service's files in every command.
//!
//! 1. Only the program in `/usr/bin` is an installed one; a clone's looks into the folder that it is called from.
//! 2. Where that folder has a configuration of its own, it counts, also for an installed program.
//! 3. Who may not read the system's configuration works in that folder, too: the service's history would be closed to them.
//!
//! Leaves to others: flags and variables, which come before all this.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Used when it is there and no other file was named.
pub(super) const LOCAL_FILE: &str = "v6ready.toml";
/// The configuration of an installed program.
pub(super) const SYSTEM_FILE: &str = "/etc/v6ready/v6ready.toml";
/// The service's own folder.
const SYSTEM_STATE: &str = "/var/lib/v6ready";
/// Where packages put the program.
const SYSTEM_PROGRAMS: &str = "/usr/bin";

/// Whether this invocation looks after the service's files.
pub(super) fn is_system() -> bool {
    let Ok(program) = std::env::current_exe() else { return false };
    serves_system(&program, Path::new(LOCAL_FILE), Path::new(SYSTEM_FILE))
}

fn serves_system(program: &Path, local: &Path, system: &Path) -> bool {
    program.parent() == Some(Path::new(SYSTEM_PROGRAMS)) && !local.is_file() && File::open(system).is_ok()
}

/// The history, if none is named.
pub(super) fn store() -> PathBuf {
    if is_system() { Path::new(SYSTEM_STATE).join("history.db") } else { PathBuf::from("reports/history.db") }
}

/// The folder for reports, if none is named.
pub(super) fn reports() -> PathBuf {
    if is_system() { Path::new(SYSTEM_STATE).join("reports") } else { PathBuf::from("reports") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_installed_program_without_a_file_of_its_own_looks_after_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().join("there.toml"), folder.path().join("missing.toml"));
        std::fs::write(&there, "").unwrap();
        let installed = Path::new("/usr/bin/v6ready");
        assert!(serves_system(installed, &missing, &there));
        assert!(!serves_system(installed, &there, &there));
        assert!(!serves_system(installed, &missing, &missing));
        for clone in ["/opt/clone/target/release/v6ready", "/usr/local/bin/v6ready", "v6ready"] {
            assert!(!serves_system(Path::new(clone), &missing, &there), "{clone}");
        }
    }

    #[test]
    fn a_clone_keeps_its_things_where_it_is_called() {
        assert_eq!((store(), reports()), ("reports/history.db".into(), "reports".into()));
    }
}
