//! From a command of the service to a process of its own.

use crate::sys::{SysError, check, pipe};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;

/// What a keeper calls itself.
const NAME: &str = "berth-shim";

/// Where the keeper finds the pipe by which it tells how it went.
const REPORT_FD: i32 = 3;

/// Starts the keeper: a session of its own, no parent, no environment, no descriptors but its report; and waits for that report.
pub fn start(role: &str, launch: &Path) -> Result<String, SysError> {
    let (reading, writing) = pipe()?;
    let text = |text: &str| CString::new(text).unwrap_or_default();
    let argv = [text(NAME), text(role), text(&launch.to_string_lossy())];
    let test_boot = std::env::var("BERTH_TEST_BOOT_ID").ok().map(|id| text(&format!("BERTH_TEST_BOOT_ID={id}")));
    let argv: Vec<_> = argv.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
    let env: Vec<_> = test_boot.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
    let null = File::options().read(true).write(true).open("/dev/null").map_err(|error| SysError::new("open", "/dev/null", error))?;
    // SAFETY: one thread; both children call only async-signal-safe functions on memory made before, and end by execve or _exit.
    unsafe {
        let child = check(libc::fork(), "fork", "")?;
        if child == 0 {
            libc::setsid();
            if libc::fork() != 0 {
                libc::_exit(0);
            }
            for fd in 0..3 {
                libc::dup2(null.as_raw_fd(), fd);
            }
            libc::dup2(writing.as_raw_fd(), REPORT_FD);
            // dup2 onto itself keeps the close-on-exec flag.
            libc::fcntl(REPORT_FD, libc::F_SETFD, 0);
            libc::syscall(libc::SYS_close_range, REPORT_FD + 1, u32::MAX, 0);
            libc::execve(c"/proc/self/exe".as_ptr(), argv.as_ptr(), env.as_ptr());
            libc::_exit(127);
        }
        libc::waitpid(child as i32, std::ptr::null_mut(), 0);
    }
    drop(writing);
    let mut report = String::new();
    let _ = File::from(reading).read_to_string(&mut report);
    Ok(report)
}

/// Whether a command line is that of a keeper that `start` made for this launch file.
pub fn keeps(words: &[&str], launch: &str) -> bool {
    matches!(words, [NAME, role, path] if role.starts_with("--keep") && *path == launch)
}

/// The keeper's report to who started it.
pub struct Report(File);

impl Report {
    /// Takes it over from the descriptor where `start` left it. Once.
    pub fn inherited() -> Self {
        // SAFETY: only `start` executes the keeper, with this descriptor open; nothing else in the process owns it.
        let file = unsafe { File::from_raw_fd(REPORT_FD) };
        // SAFETY: fcntl on a descriptor of our own. What the keeper starts does not inherit it.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        Self(file)
    }

    /// Tells in one line and closes. Nobody may be listening any more.
    pub fn tell(mut self, line: &str) {
        let _ = writeln!(self.0, "{}", line.replace('\n', " "));
    }
}
