//! The shim's life: start or adopt, keep, write the end down, go.
//!
//! ```text
//! (launch.json) ─start──► journal: started ─► keeping ─VMM ends─► journal: exited ─► gone
//!               ─adopt──► journal: adopted ──────┘      (replace: as adopt, once the shim that is there has been ended)
//! ```

use crate::cgroup::Cgroup;
use crate::console::Console;
use crate::journal::Journal;
use crate::proto::journal_entry::Event;
use crate::proto::{LaunchSpec, ShimAdopted, VmmExited, VmmStarted};
use crate::ring::{CAPACITY_BYTES, Ring};
use crate::shim::{Shim, Vmm};
use crate::sys::{SysError, ignore, pidfd};
use crate::vmm::descriptors::{self, Opened};
use crate::vmm::spawn;
use crate::{door, end, launch, proc, replace};
use std::fs::File;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// A VM that is being kept.
pub struct Kept {
    pub shim: Shim,
    pub cgroup: Cgroup,
    pub listener: UnixListener,
    pub qmp: Option<std::os::unix::net::UnixStream>,
    /// What the VMM says; none when it was adopted.
    pub stderr: Option<File>,
    /// How often the memory limit had killed before.
    pub kills_before: u64,
}

/// What a keeper does first.
#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    Start,
    Adopt,
    /// Adopts, and ends the shim that is there, which does not answer.
    Replace,
}

/// Reads launch.json and starts or adopts what it describes.
pub fn begin(path: &Path, role: Role) -> Result<Kept, String> {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        ignore(signal);
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let spec = launch::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    if role != Role::Start {
        // A host that booted again has none of the folders for sockets left, and what became of its VMs is still to be written down.
        door::make_folder(Path::new(&spec.run_dir)).map_err(|error| format!("{}: {error}", spec.run_dir))?;
    }
    // SAFETY: umask takes a number.
    unsafe { libc::umask(0o077) };
    std::env::set_current_dir(&spec.run_dir).map_err(|error| format!("{}: {error}", spec.run_dir))?;
    let folder = Path::new(&spec.instance_dir);
    if role == Role::Replace {
        replace::end_shim(path, folder).map_err(|error| error.to_string())?;
    }
    let ring = Ring::open(&folder.join("console.log"), CAPACITY_BYTES).map_err(|error| format!("console.log: {error}"))?;
    if !ring.lock() {
        return Err("another shim serves this instance".into());
    }
    let journal = Journal::open(&folder.join("journal")).map_err(|error| format!("journal: {error}"))?;
    if role == Role::Start { start(spec, journal, ring) } else { take_over(spec, journal, ring) }
}

fn start(spec: LaunchSpec, journal: Journal, ring: Ring) -> Result<Kept, String> {
    if let Some(vmm) = journal.running() {
        if is_here(&vmm) {
            return Err(format!("VMM {} still runs: adopt it", vmm.pid));
        }
        let _ = journal.append(Event::Exited(VmmExited::default()));
    }
    let mut cgroup = Cgroup::named(&spec.cgroup);
    let result = cgroup.enter(spec.memory_limit_bytes).and_then(|()| execute(&spec, &journal));
    match result {
        Ok((started, opened, listener, stderr)) => {
            let pidfd = pidfd(started.pid).map_err(|error| error.to_string())?;
            let vmm = Vmm { started, pidfd, child: true };
            let kills_before = cgroup.kills();
            let shim = Shim::new(spec, journal, Console::new(ring, opened.console), vmm);
            Ok(Kept { shim, cgroup, listener, qmp: opened.qmp, stderr: Some(stderr), kills_before })
        }
        Err(error) => {
            let text = error.to_string();
            let exited = VmmExited { known: true, code: 127, start_failed: true, stderr_tail: text.clone().into(), ..Default::default() };
            let _ = journal.append(Event::Exited(exited));
            end::clean_up(&spec, &cgroup);
            Err(text)
        }
    }
}

fn execute(spec: &LaunchSpec, journal: &Journal) -> Result<(VmmStarted, Opened, UnixListener, File), SysError> {
    let listener = door::open(spec)?;
    let mut opened = descriptors::open(spec)?;
    // Out of memory in the cgroup is the VMM's doing: the shim stays to tell of it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    let waiting = spawn::fork(spec, &opened.inherited)?;
    opened.inherited.clear();
    let started = VmmStarted { pid: waiting.pid, start_ticks: waiting.start_ticks, host_boot_id: boot_of(spec) };
    journal.append(Event::Started(started.clone())).map_err(|error| SysError::new("write", "journal", error))?;
    let pid = waiting.pid;
    match waiting.go() {
        Ok(stderr) => Ok((started, opened, listener, stderr)),
        Err(error) => {
            end::reap(pid);
            Err(error)
        }
    }
}

fn take_over(spec: LaunchSpec, journal: Journal, ring: Ring) -> Result<Kept, String> {
    let Some(started) = journal.running() else {
        return Err("no VMM is recorded as running".into());
    };
    let mut cgroup = Cgroup::named(&spec.cgroup);
    // The pidfd comes first: what it names is then compared.
    let pidfd = pidfd(started.pid).ok().filter(|_| is_here(&started));
    let Some(pidfd) = pidfd else {
        let exited = VmmExited { out_of_memory: cgroup.kills() > 0, ..Default::default() };
        journal.append(Event::Exited(exited)).map_err(|error| format!("journal: {error}"))?;
        end::clean_up(&spec, &cgroup);
        return Err(format!("VMM {} has ended", started.pid));
    };
    let kills_before = cgroup.kills();
    // The VMM is in it already, with its limit.
    cgroup.enter(0).map_err(|error| error.to_string())?;
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    let listener = door::open(&spec).map_err(|error| error.to_string())?;
    journal.append(Event::Adopted(ShimAdopted { shim_pid: std::process::id() as i32 })).map_err(|error| format!("journal: {error}"))?;
    // A pair ended with the shim that made it.
    let console = descriptors::connect(&spec, &spec.console).unwrap_or_default();
    let qmp = descriptors::connect(&spec, &spec.qmp).unwrap_or_default();
    let shim = Shim::new(spec, journal, Console::new(ring, console), Vmm { started, pidfd, child: false });
    Ok(Kept { shim, cgroup, listener, qmp, stderr: None, kills_before })
}

/// Whether that VMM lives: pid and start time mean another process in another boot of the host.
fn is_here(vmm: &VmmStarted) -> bool {
    vmm.host_boot_id == proc::boot_id() && proc::lives(vmm.pid, vmm.start_ticks)
}

/// The host's boot as the service names it.
fn boot_of(spec: &LaunchSpec) -> String {
    if spec.host_boot_id.is_empty() { proc::boot_id() } else { spec.host_boot_id.clone() }
}
