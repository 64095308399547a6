//! The end of a shim that does not answer, so that another can take its place.

use crate::ring::{CAPACITY_BYTES, Ring};
use crate::sys::{pidfd, signal};
use crate::{daemon, proc};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A killed process lets go of its locks within this time, if the machine does anything at all.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);

/// Ends the shim that serves the VM of this launch file; nothing when none does.
pub fn end_shim(launch: &Path, instance: &Path) -> io::Result<()> {
    let ring = Ring::open(&instance.join("console.log"), CAPACITY_BYTES)?;
    let end = Instant::now() + PATIENCE;
    while !ring.lock() {
        if Instant::now() > end {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the shim that does not answer does not end either"));
        }
        kill_keepers(launch);
        sleep(STEP);
    }
    Ok(())
}

/// Kills every keeper of this launch file but the one that asks.
fn kill_keepers(launch: &Path) {
    let launch = launch.to_string_lossy();
    for (pid, ticks) in proc::of_root(|words| daemon::keeps(words, &launch)) {
        if pid == std::process::id() as i32 {
            continue;
        }
        // The pidfd comes first: what it names is then compared.
        if let Some(pidfd) = pidfd(pid).ok().filter(|_| proc::lives(pid, ticks)) {
            let _ = signal(&pidfd, libc::SIGKILL);
        }
    }
}
