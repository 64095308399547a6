//! A VM whose VMM is a shell, in folders of its own.

use berth_shim::journal::Journal;
use berth_shim::proto::journal_entry::Event;
use berth_shim::proto::shim_request::Command as Ask;
use berth_shim::proto::shim_response::Answer;
use berth_shim::proto::{JournalEntry, ShimRequest, ShimResponse, ShimState, ShimStatus};
use berth_shim::ring::{CAPACITY_BYTES, Ring};
use berth_shim::{frame, proc};
use serde_json::{Value, json};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Vm {
    root: PathBuf,
    pub spec: Value,
}

impl Vm {
    pub fn new(name: &str, script: &str) -> Self {
        let root = std::env::temp_dir().join(format!("berth-shim-{name}-{}", std::process::id()));
        for folder in ["instance", "run"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::set_permissions(root.join(folder), PermissionsExt::from_mode(0o711)).unwrap();
        }
        std::fs::set_permissions(&root, PermissionsExt::from_mode(0o711)).unwrap();
        let spec = json!({
            "version": 1, "instanceId": "ins_test", "epoch": "7", "uid": 900000, "cgroup": format!("berth-test-{name}-{}", std::process::id()),
            "instanceDir": root.join("instance"), "runDir": root.join("run"), "argv": ["/bin/sh", "-c", script],
            "descriptors": [{ "name": "console", "pair": true }], "console": "console",
        });
        Self { root, spec }
    }

    pub fn start(&self) -> String {
        self.run(&[])
    }

    pub fn adopt(&self) -> String {
        self.run(&["--adopt"])
    }

    pub fn replace(&self) -> String {
        self.run(&["--replace"])
    }

    fn run(&self, arguments: &[&str]) -> String {
        let launch = self.root.join("instance/launch.json");
        std::fs::write(&launch, self.spec.to_string()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_berth-shim")).args(arguments).arg(&launch).env("SECRET", "x").output().unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), line.starts_with("ready "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }

    pub fn connect(&self) -> Connection {
        let stream = UnixStream::connect(self.root.join("run/shim.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection(stream)
    }

    pub fn call(&self, epoch: i64, command: Ask) -> ShimResponse {
        let mut connection = self.connect();
        connection.ask(epoch, command);
        connection.next()
    }

    pub fn state(&self) -> ShimState {
        self.state_at(7)
    }

    pub fn state_at(&self, epoch: i64) -> ShimState {
        match self.call(epoch, Ask::Status(ShimStatus {})).answer {
            Some(Answer::State(state)) => state,
            other => panic!("{other:?}"),
        }
    }

    pub fn journal(&self) -> Vec<JournalEntry> {
        let copy = self.root.join("journal-copy");
        std::fs::copy(self.root.join("instance/journal"), &copy).unwrap();
        Journal::open(&copy).unwrap().from(0)
    }

    pub fn wait_for_exit(&self) -> Event {
        let exit = || self.journal().pop().and_then(|entry| entry.event).filter(|event| matches!(event, Event::Exited(_)));
        wait_until("the exit is journalled", || exit().is_some());
        exit().unwrap()
    }

    pub fn delete_run_folder(&self) {
        std::fs::remove_dir_all(self.root.join("run")).unwrap();
    }

    pub fn has_socket(&self) -> bool {
        UnixStream::connect(self.root.join("run/shim.sock")).is_ok()
    }

    pub fn run_folder_mode(&self) -> u32 {
        std::fs::metadata(self.root.join("run")).unwrap().permissions().mode() & 0o777
    }

    pub fn console(&self) -> String {
        let ring = Ring::open(&self.root.join("instance/console.log"), CAPACITY_BYTES).unwrap();
        String::from_utf8(ring.read(0, 1 << 20).unwrap().0).unwrap()
    }

    /// The shim leaves neither socket nor cgroup.
    pub fn wait_until_gone(&self) {
        let name = self.spec["cgroup"].as_str().unwrap();
        let left = || {
            let mut roots: Vec<_> = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path()).collect();
            roots.push("/sys/fs/cgroup".into());
            roots.iter().any(|root| root.join(name).exists()) || self.root.join("run/shim.sock").exists()
        };
        wait_until("socket and cgroup are gone", || !left());
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        if Path::new(&self.root).join("instance/journal").exists() {
            let of_vmm = |entry: JournalEntry| entry.event.filter(|event| matches!(event, Event::Started(_) | Event::Exited(_)));
            if let Some(Event::Started(vmm)) = self.journal().into_iter().rev().find_map(of_vmm)
                && proc::lives(vmm.pid, vmm.start_ticks)
            {
                kill(vmm.pid, libc::SIGKILL);
            }
        }
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

pub struct Connection(UnixStream);

impl Connection {
    pub fn ask(&mut self, epoch: i64, command: Ask) {
        frame::write(&mut self.0, &ShimRequest { id: 5, epoch, command: Some(command) }).unwrap();
    }

    pub fn next(&mut self) -> ShimResponse {
        let response: ShimResponse = frame::read(&mut self.0).unwrap().expect("an answer");
        assert_eq!(response.id, 5);
        response
    }
}

pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn lives(pid: i32) -> bool {
    proc::start_ticks(pid).is_some_and(|ticks| proc::lives(pid, ticks))
}

pub fn kill(pid: i32, signal: i32) {
    // SAFETY: kill takes numbers.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// A file that processes inherit: what a careless service would leak.
pub fn inheritable_file() -> File {
    let file = File::open("/etc/passwd").unwrap();
    // SAFETY: fcntl on an open descriptor.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
    file
}
