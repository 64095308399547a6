//! `berth-shim <launch.json>` starts a VM; `berth-shim --adopt <launch.json>` takes over one whose shim is gone; `berth-shim --replace <launch.json>`
//! ends the shim that is there before it does. All put a keeper into the background and print `ready <pid>` or `failed <why>`.

use berth_shim::daemon::{self, Report};
use berth_shim::end;
use berth_shim::keeper::{self, Role};
use std::path::Path;
use std::process::ExitCode;

const KEEP: &str = "--keep";
const KEEP_ADOPTED: &str = "--keep-adopted";
const KEEP_REPLACED: &str = "--keep-replaced";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--version"] => say(env!("CARGO_PKG_VERSION"), true),
        [KEEP, path] => keep(Path::new(path), Role::Start),
        [KEEP_ADOPTED, path] => keep(Path::new(path), Role::Adopt),
        [KEEP_REPLACED, path] => keep(Path::new(path), Role::Replace),
        ["--adopt", path] => start(KEEP_ADOPTED, path),
        ["--replace", path] => start(KEEP_REPLACED, path),
        [path] if !path.starts_with('-') => start(KEEP, path),
        _ => say("usage: berth-shim [--adopt | --replace] <launch.json>", false),
    }
}

fn start(role: &str, path: &str) -> ExitCode {
    let report = std::path::absolute(path).map_err(|error| error.to_string());
    let report = report.and_then(|path| daemon::start(role, &path).map_err(|error| error.to_string()));
    match report {
        Ok(line) if line.starts_with("ready ") => say(line.trim_end(), true),
        Ok(line) if line.is_empty() => say("failed the shim ended without a word", false),
        Ok(line) => say(line.trim_end(), false),
        Err(text) => say(&format!("failed {text}"), false),
    }
}

fn keep(path: &Path, role: Role) -> ExitCode {
    let report = Report::inherited();
    match keeper::begin(path, role) {
        Ok(kept) => {
            end::keep(kept, report);
            ExitCode::SUCCESS
        }
        Err(text) => {
            report.tell(&format!("failed {text}"));
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str, good: bool) -> ExitCode {
    println!("{line}");
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
