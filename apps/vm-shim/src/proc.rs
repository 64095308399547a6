//! What /proc says about processes and the host.

use std::fs::{DirEntry, read_to_string};
use std::os::unix::fs::MetadataExt;

/// Start time of a process in clock ticks since the host's boot; with the pid it names one process of that boot.
pub fn start_ticks(pid: i32) -> Option<i64> {
    stat(pid).and_then(|fields| fields.get(19)?.parse().ok())
}

/// Whether the process with that pid and start time lives. A zombie does not: some PID 1s reap late.
pub fn lives(pid: i32, ticks: i64) -> bool {
    stat(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X" && fields.get(19).and_then(|text| text.parse().ok()) == Some(ticks))
}

/// Whether a signal holds the process.
pub fn is_stopped(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] == "T")
}

/// Pid and start time of root's processes whose command line passes. Others can call themselves what they like.
pub fn of_root(passes: impl Fn(&[&str]) -> bool) -> Vec<(i32, i64)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| matching(&entry, &passes)).collect()
}

fn matching(entry: &DirEntry, passes: impl Fn(&[&str]) -> bool) -> Option<(i32, i64)> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let ticks = start_ticks(pid)?;
    let line = read_to_string(entry.path().join("cmdline")).ok()?;
    let words: Vec<_> = line.split_terminator('\0').collect();
    (entry.metadata().ok()?.uid() == 0 && passes(&words)).then_some((pid, ticks))
}

/// Boot id of the host; `BERTH_TEST_BOOT_ID` stands in for it in tests.
pub fn boot_id() -> String {
    std::env::var("BERTH_TEST_BOOT_ID")
        .unwrap_or_else(|_| read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into())
}

/// Fields of /proc/<pid>/stat from the state on; the name before it may hold anything.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = text.rsplit_once(") ")?.1.split_whitespace().map(String::from).collect();
    (!fields.is_empty()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_pid_and_start_time() {
        let pid = std::process::id() as i32;
        let ticks = start_ticks(pid).unwrap();
        assert!(lives(pid, ticks));
        assert!(!lives(pid, ticks + 1));
        assert!(!lives(i32::MAX, ticks));
        assert!(!is_stopped(pid));
    }

    #[test]
    fn a_process_is_found_by_its_command_line() {
        let own: Vec<_> = std::env::args().collect();
        let pid = std::process::id() as i32;
        assert_eq!(of_root(|words| words == own).iter().filter(|(found, _)| *found == pid).count(), 1);
        assert!(of_root(|words| words == ["no such command"]).is_empty());
    }
}
