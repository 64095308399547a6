use super::{ABOVE, FIRST_FD};
use crate::launch::arguments;
use crate::proc::start_ticks;
use crate::proto::LaunchSpec;
use crate::sys::{SysError, check, duplicate_above, pipe};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// A VMM that waits for the word to go. Dropped before, it ends without having been executed.
pub struct Waiting {
    pub pid: i32,
    /// Start time in clock ticks since the host's boot; executing the VMM does not change it.
    pub start_ticks: i64,
    /// What it says on its standard output and error.
    pub stderr: File,
    go: File,
    report: File,
}

/// Forks the VMM's process and gives everything up there that a VMM is not to have. It is executed only after `go`, so that its pid can be
/// recorded first: no VMM ever runs unrecorded.
pub fn fork(spec: &LaunchSpec, inherited: &[OwnedFd]) -> Result<Waiting, SysError> {
    let invalid = |text| SysError::new("launch", "argv", io::Error::other(text));
    let arguments = arguments(spec, FIRST_FD).map_err(invalid)?;
    let (program, argv) = (c_string(&program(&arguments[0])), Strings::new(&arguments));
    let env = Strings::new(&spec.env);
    let (stderr, theirs) = pipe()?;
    let (go_theirs, go) = pipe()?;
    let (report, report_theirs) = pipe()?;
    let null = File::open("/dev/null").map_err(|error| SysError::new("open", "/dev/null", error))?;
    let high = |fd: &OwnedFd| duplicate_above(fd, ABOVE);
    let (stderr_high, go_high, report_high) = (high(&theirs)?, high(&go_theirs)?, high(&report_theirs)?);
    let plan = Plan {
        program,
        argv: &argv,
        env: &env,
        folder: c_string(&spec.run_dir),
        uid: spec.uid,
        null: null.as_raw_fd(),
        stderr: stderr_high.as_raw_fd(),
        go: go_high.as_raw_fd(),
        report: report_high.as_raw_fd(),
        inherited: inherited.iter().map(|fd| fd.as_raw_fd()).collect(),
    };
    // The child must see the end of `go` when the shim dies, so its own copies of the writing ends go first.
    let ours = [go.as_raw_fd(), report.as_raw_fd(), stderr.as_raw_fd()];
    // SAFETY: this process has one thread; the child touches only memory made before and ends by execve or _exit.
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            for fd in ours {
                libc::close(fd);
            }
            child(&plan);
        }
        check(pid, "fork", "")? as i32
    };
    let start_ticks = start_ticks(pid).unwrap_or(0);
    Ok(Waiting { pid, start_ticks, stderr: stderr.into(), go: go.into(), report: report.into() })
}

impl Waiting {
    /// Lets it execute the VMM; gives its output when it did, or why it could not.
    pub fn go(mut self) -> Result<File, SysError> {
        let _ = self.go.write_all(&[1]);
        let mut report = Vec::new();
        let _ = self.report.read_to_end(&mut report);
        let [step, errno] = report[..] else { return Ok(self.stderr) };
        let call = STEPS.get(usize::from(step)).copied().unwrap_or("start");
        Err(SysError::new(call, "VMM", io::Error::from_raw_os_error(errno.into())))
    }
}

/// NULL-terminated lists of C strings.
struct Strings {
    pointers: Vec<*const libc::c_char>,
    _texts: Vec<CString>,
}

impl Strings {
    fn new(texts: &[String]) -> Self {
        let texts: Vec<_> = texts.iter().map(|text| c_string(text)).collect();
        Self { pointers: texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect(), _texts: texts }
    }
}

/// A name without a slash is looked for where hosts keep VMMs: the shim has no PATH of its own.
fn program(name: &str) -> String {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin"].map(|folder| format!("{folder}/{name}"));
    let found = folders.into_iter().find(|path| !name.contains('/') && Path::new(path).exists());
    found.unwrap_or_else(|| name.into())
}

/// The spec's texts hold no NUL byte: launch::parse refused them.
fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

struct Plan<'a> {
    program: CString,
    argv: &'a Strings,
    env: &'a Strings,
    folder: CString,
    uid: u32,
    null: RawFd,
    stderr: RawFd,
    go: RawFd,
    report: RawFd,
    inherited: Vec<RawFd>,
}

const STEPS: [&str; 11] =
    ["setsid", "dup2", "close_range", "chdir", "setrlimit", "capbset", "setgroups", "setresgid", "setresuid", "no_new_privs", "execve"];

/// # Safety
/// Only in a freshly forked child.
unsafe fn child(plan: &Plan<'_>) -> ! {
    // SAFETY: every call is async-signal-safe and works on the plan's memory and descriptors.
    unsafe {
        let step = become_vmm(plan) as u8;
        let report = [step, *libc::__errno_location() as u8];
        libc::write(plan.report, report.as_ptr().cast(), report.len());
        libc::_exit(127)
    }
}

/// Gives the number of the step that failed.
///
/// # Safety
/// Only in a freshly forked child.
unsafe fn become_vmm(plan: &Plan<'_>) -> usize {
    // SAFETY: as above; capset gets the two structures its version asks for.
    unsafe {
        let steps = || -> Result<(), usize> {
            let ok = |step: usize, result: libc::c_int| if result == -1 { Err(step) } else { Ok(()) };
            ok(0, libc::setsid())?;
            for signal in 1..=64 {
                libc::signal(signal, libc::SIG_DFL);
            }
            // Writing to the shim's pipe after the shim died must not end a VM.
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            ok(1, libc::dup2(plan.null, 0))?;
            ok(1, libc::dup2(plan.stderr, 1))?;
            ok(1, libc::dup2(plan.stderr, 2))?;
            for (index, fd) in plan.inherited.iter().enumerate() {
                ok(1, libc::dup2(*fd, FIRST_FD + index as RawFd))?;
            }
            let rest = FIRST_FD as usize + plan.inherited.len();
            ok(2, libc::syscall(libc::SYS_close_range, rest, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) as libc::c_int)?;
            ok(3, libc::chdir(plan.folder.as_ptr()))?;
            libc::umask(0o077);
            // A core would hold the guest's memory.
            ok(4, libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 }))?;
            not_spared_by_oom();
            for capability in 0..64 {
                if libc::prctl(libc::PR_CAPBSET_READ, capability) == 1 {
                    ok(5, libc::prctl(libc::PR_CAPBSET_DROP, capability))?;
                }
            }
            ok(6, libc::setgroups(0, std::ptr::null()))?;
            ok(7, libc::setresgid(plan.uid, plan.uid, plan.uid))?;
            ok(8, libc::setresuid(plan.uid, plan.uid, plan.uid))?;
            let header = [CAPABILITY_VERSION_3, 0];
            let none = [0u32; 6];
            ok(8, libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) as libc::c_int)?;
            ok(9, libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            let mut word = 0u8;
            if libc::read(plan.go, (&raw mut word).cast(), 1) != 1 {
                libc::_exit(0);
            }
            libc::execve(plan.program.as_ptr(), plan.argv.pointers.as_ptr(), plan.env.pointers.as_ptr());
            Err(10)
        };
        steps().err().unwrap_or(0)
    }
}

/// The shim keeps itself from being killed for memory; its VMM does not inherit that.
///
/// # Safety
/// Only in a freshly forked child.
unsafe fn not_spared_by_oom() {
    // SAFETY: NUL-terminated literals and a descriptor opened here.
    unsafe {
        let fd = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd >= 0 {
            libc::write(fd, b"0".as_ptr().cast(), 1);
            libc::close(fd);
        }
    }
}
