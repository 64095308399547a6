use super::env::{DEFAULT_PATH, complete, value};
use super::lookup::find_program;
use super::user::{Identity, resolve};
use super::{Child, Program, StartError, reaper};
use crate::sys::{SysError, c_string, check, io};
use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// What a process gets as its three standard descriptors.
pub enum Streams {
    /// One descriptor each.
    Three { stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd },
    /// A terminal, which becomes its controlling one.
    Terminal(OwnedFd),
}

/// Who the program would run as.
pub fn identity(program: &Program) -> Result<Identity, StartError> {
    let read = |path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    resolve(&program.user, &read("/etc/passwd"), &read("/etc/group"))
}

/// Starts a program in a session of its own. When this returns it has been executed, or the error says why not.
pub fn start(program: &Program, identity: &Identity, streams: &Streams) -> Result<Child, StartError> {
    let folder = if program.working_dir.is_empty() { "/" } else { &program.working_dir };
    if program.make_working_dir {
        let _ = std::fs::create_dir_all(folder);
    }
    if !std::fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Err(StartError::WorkingDirNotFound(folder.into()));
    }
    let path = find_program(&program.command[0], value(&program.env, "PATH").unwrap_or(DEFAULT_PATH), folder)?;
    let term = if matches!(streams, Streams::Terminal(_)) { &[("TERM", "xterm")][..] } else { &[] };
    let env = complete(&program.env, &[&[("PATH", DEFAULT_PATH), ("HOME", &identity.home)], term].concat());
    let strings = |list: &[String]| list.iter().map(|text| c_string(text)).collect::<Vec<_>>();
    let plan = Plan {
        path: c_string(&path.to_string_lossy()),
        folder: c_string(folder),
        argv: Pointers::new(strings(&program.command)),
        env: Pointers::new(strings(&env)),
        identity,
        streams: match streams {
            Streams::Three { stdin, stdout, stderr } => [stdin, stdout, stderr].map(|fd| fd.as_raw_fd()),
            Streams::Terminal(slave) => [slave.as_raw_fd(); 3],
        },
        terminal: matches!(streams, Streams::Terminal(_)),
    };
    let (report, reporter) = io::pipe()?;
    let child = reaper::expect(|| fork(&plan, reporter.as_raw_fd()))?;
    drop(reporter);
    match failure(report, &plan, &program.command[0]) {
        Some(error) => Err(error),
        None => Ok(child),
    }
}

/// Steps of a child between fork and exec.
const STEPS: [&str; 8] = ["setsid", "dup2", "TIOCSCTTY", "chdir", "setgroups", "setgid", "setuid", "execve"];
const CHDIR: usize = 3;
const EXECVE: usize = 7;

/// All a child needs, made before the fork: after it nothing may allocate.
struct Plan<'a> {
    path: CString,
    folder: CString,
    argv: Pointers,
    env: Pointers,
    identity: &'a Identity,
    streams: [RawFd; 3],
    terminal: bool,
}

/// A NULL-terminated list of C strings.
struct Pointers {
    list: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
}

impl Pointers {
    fn new(strings: Vec<CString>) -> Self {
        let list = strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Self { list, _strings: strings }
    }
}

fn fork(plan: &Plan<'_>, reporter: RawFd) -> Result<i32, SysError> {
    // SAFETY: the child calls only async-signal-safe functions on memory made before the fork, and ends by execve or _exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let step = become_program(plan);
            let report = [step as u8, *libc::__errno_location() as u8];
            libc::write(reporter, report.as_ptr().cast(), report.len());
            libc::_exit(127);
        }
        check(pid, "fork", String::new).map(|pid| pid as i32)
    }
}

/// Runs in the child; returns only the number of the step that failed.
///
/// # Safety
/// Only in a forked child that never returns to Rust's runtime.
unsafe fn become_program(plan: &Plan<'_>) -> usize {
    // SAFETY: pointers and descriptors of the plan outlive the child's use of them; all calls are async-signal-safe.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        let identity = plan.identity;
        let failed = |step: usize, result: libc::c_int| if result == -1 { Err(step) } else { Ok(()) };
        let steps = || {
            failed(0, libc::setsid())?;
            for (target, source) in plan.streams.iter().enumerate() {
                failed(1, libc::dup2(*source, target as RawFd))?;
            }
            if plan.terminal {
                failed(2, libc::ioctl(0, libc::TIOCSCTTY, 0))?;
            }
            // Descriptors are made close-on-exec; this is for those that a library may have forgotten. Old kernels lack the call.
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            failed(CHDIR, libc::chdir(plan.folder.as_ptr()))?;
            failed(4, libc::setgroups(identity.groups.len(), identity.groups.as_ptr()))?;
            failed(5, libc::setresgid(identity.gid, identity.gid, identity.gid))?;
            failed(6, libc::setresuid(identity.uid, identity.uid, identity.uid))?;
            libc::execve(plan.path.as_ptr(), plan.argv.list.as_ptr(), plan.env.list.as_ptr());
            Err(EXECVE)
        };
        let result: Result<(), usize> = steps();
        result.err().unwrap_or(EXECVE)
    }
}

/// What the child reported; an empty report means that it was executed.
fn failure(report: OwnedFd, plan: &Plan<'_>, command: &str) -> Option<StartError> {
    let mut bytes = Vec::new();
    let _ = std::fs::File::from(report).read_to_end(&mut bytes);
    let [step, errno] = bytes[..] else { return None };
    let error = std::io::Error::from_raw_os_error(errno.into());
    Some(match (usize::from(step), i32::from(errno)) {
        (CHDIR, libc::ENOENT | libc::ENOTDIR) => StartError::WorkingDirNotFound(plan.folder.to_string_lossy().into()),
        (EXECVE, libc::ENOENT) => StartError::CommandNotExecutable(format!("the interpreter or loader of “{command}” is missing")),
        (EXECVE, libc::ENOEXEC) => StartError::CommandNotExecutable(format!("“{command}” is no program this guest can execute")),
        (EXECVE, libc::E2BIG) => StartError::Invalid("arguments and environment are too long".into()),
        (EXECVE, _) => StartError::CommandNotExecutable(format!("“{command}”: {error}")),
        (step, _) => StartError::System(SysError::from_io(STEPS.get(step).unwrap_or(&"fork"), command, error)),
    })
}
