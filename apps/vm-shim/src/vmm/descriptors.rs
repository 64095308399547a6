use super::ABOVE;
use crate::launch::source_of;
use crate::proto::LaunchSpec;
use crate::proto::launch_descriptor::Source;
use crate::sys::{SysError, check, duplicate_above};
use std::ffi::CString;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// What was opened for a VMM.
#[derive(Default)]
pub struct Opened {
    /// The VMM's descriptors, in the spec's order.
    pub inherited: Vec<OwnedFd>,
    /// The shim's end of the console.
    pub console: Option<UnixStream>,
    /// The shim's end of its monitor.
    pub qmp: Option<UnixStream>,
}

/// Opens all descriptors of a spec, as root.
pub fn open(spec: &LaunchSpec) -> Result<Opened, SysError> {
    let mut opened = Opened::default();
    for descriptor in &spec.descriptors {
        let mut ours = None;
        let theirs = match descriptor.source.as_ref() {
            Some(Source::Tap(name)) => tap(name)?,
            Some(Source::Listen(path)) => listen(Path::new(path))?.into(),
            Some(Source::FileReadWrite(path)) => file(path, true)?,
            Some(Source::FileReadOnly(path)) => file(path, false)?,
            Some(Source::Pair(_)) | None => {
                let (one, other) = UnixStream::pair().map_err(|error| SysError::new("socketpair", &descriptor.name, error))?;
                ours = Some(one);
                other.into()
            }
        };
        opened.inherited.push(duplicate_above(&theirs, ABOVE)?);
        // Connected before the VMM starts, so that it finds the shim waiting and nothing it says is lost.
        if descriptor.name == spec.console {
            opened.console = ours.take().or(connect(spec, &spec.console)?);
        } else if descriptor.name == spec.qmp {
            opened.qmp = ours.take().or(connect(spec, &spec.qmp)?);
        }
    }
    Ok(opened)
}

/// Connects to the listening descriptor of that name; none when it is none.
pub fn connect(spec: &LaunchSpec, name: &str) -> Result<Option<UnixStream>, SysError> {
    match source_of(spec, name) {
        Some(Source::Listen(path)) => UnixStream::connect(path).map(Some).map_err(|error| SysError::new("connect", path, error)),
        _ => Ok(None),
    }
}

/// Removes the sockets that were bound for a VMM.
pub fn remove_sockets(spec: &LaunchSpec) {
    for descriptor in &spec.descriptors {
        if let Some(Source::Listen(path)) = &descriptor.source {
            let _ = fs::remove_file(path);
        }
    }
}

/// Binds a socket that only root can connect to, in place of one that an ended VM left.
pub fn listen(path: &Path) -> Result<UnixListener, SysError> {
    let failed = |call| move |error| SysError::new(call, path.display(), error);
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(failed("unlink")(error));
    }
    // The shim's umask leaves nobody else a moment to connect in.
    let listener = UnixListener::bind(path).map_err(failed("bind"))?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed("chmod"))?;
    Ok(listener)
}

fn file(path: &str, write: bool) -> Result<OwnedFd, SysError> {
    let opened = OpenOptions::new().read(true).write(write).custom_flags(libc::O_NOCTTY).open(path);
    opened.map(OwnedFd::from).map_err(|error| SysError::new("open", path, error))
}

/// Asked of the kernel and not of /sys, which may show another network namespace than this process is in.
fn is_interface(name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: `name` is a terminated string that outlives the call.
    unsafe { libc::if_nametoindex(name.as_ptr()) != 0 }
}

/// Opens a tap that is there: the device would be made otherwise, in nobody's charge.
fn tap(name: &str) -> Result<OwnedFd, SysError> {
    if name.len() >= libc::IFNAMSIZ || !is_interface(name) {
        return Err(SysError::new("find tap", name, io::ErrorKind::NotFound.into()));
    }
    let device = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun");
    let device = device.map_err(|error| SysError::new("open", "/dev/net/tun", error))?;
    // SAFETY: all-zero is a valid ifreq; its name is shorter than its field, so a NUL follows.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (target, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *target = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
        check(libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as libc::Ioctl, &request), "TUNSETIFF", name)?;
    }
    Ok(device.into())
}
