use super::Answers;
use super::session::{Session, Terminal};
use crate::agent::Agent;
use crate::process::user::Identity;
use crate::process::{Program, StartError, Streams, spawn, start};
use crate::proto::exec_request::Message;
use crate::proto::{AgentExecStart, ExecRequest};
use crate::sys::io::{AsyncFile, give, pipe};
use crate::sys::{SysError, pty};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

/// Commands that run at once.
const SESSIONS: usize = 1_000;
/// How long the first message may take.
const FIRST_MESSAGE: Duration = Duration::from_secs(5);

/// The agent's ends of a command's descriptors.
pub struct Ends {
    pub stdin: Option<AsyncFile>,
    pub stdout: AsyncFile,
    /// None with a terminal.
    pub stderr: Option<AsyncFile>,
}

/// A seat among the sessions, given back when it is dropped.
pub struct Seat(Arc<Agent>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a command.
pub async fn exec(agent: Arc<Agent>, mut requests: Streaming<ExecRequest>) -> Result<Answers<crate::proto::ExecResponse>, Status> {
    let seat = take_seat(&agent)?;
    let first =
        timeout(FIRST_MESSAGE, requests.message()).await.map_err(|_| Status::deadline_exceeded("NO_START: no start message came"))??;
    let Some(ExecRequest { message: Some(Message::Start(wanted)) }) = first else {
        return Err(Status::invalid_argument("NO_START: the first message is not a start"));
    };
    let program = program(&agent, &wanted);
    let (child, ends) = launch(&program, &wanted).map_err(status)?;
    Ok(Session { child, ends, terminal: wanted.terminal.is_some(), seat }.run(requests))
}

fn take_seat(agent: &Arc<Agent>) -> Result<Seat, Status> {
    if agent.ending.load(Ordering::Relaxed) {
        return Err(Status::unavailable("ENDING: the guest is ending"));
    }
    if agent.sessions.fetch_add(1, Ordering::Relaxed) >= SESSIONS {
        agent.sessions.fetch_sub(1, Ordering::Relaxed);
        return Err(Status::resource_exhausted(format!("TOO_MANY_SESSIONS: {SESSIONS} commands run already")));
    }
    Ok(Seat(Arc::clone(agent)))
}

fn program(agent: &Agent, wanted: &AgentExecStart) -> Program {
    let workload = agent.workload_program();
    let or = |given: &String, default: String| if given.is_empty() { default } else { given.clone() };
    Program {
        command: wanted.command.clone(),
        env: [workload.env, wanted.env.clone()].concat(),
        user: or(&wanted.user, workload.user),
        working_dir: or(&wanted.working_dir, workload.working_dir),
        make_working_dir: false,
    }
}

fn launch(program: &Program, wanted: &AgentExecStart) -> Result<(crate::process::Child, Ends), StartError> {
    program.check()?;
    let identity = spawn::identity(program)?;
    let (streams, ends) = match wanted.terminal {
        Some(size) => terminal(Terminal::size(size.rows, size.columns)?, &identity)?,
        None => pipes(wanted.stdin, &identity)?,
    };
    Ok((start(program, &identity, &streams)?, ends))
}

fn terminal((rows, columns): (u16, u16), identity: &Identity) -> Result<(Streams, Ends), StartError> {
    let pty::Terminal { master, slave } = pty::open(rows, columns, identity.uid)?;
    let input = master.try_clone().map_err(|error| SysError::from_io("dup", "terminal", error))?;
    let ends = Ends { stdin: Some(waitable(input)?), stdout: waitable(master)?, stderr: None };
    Ok((Streams::Terminal(slave), ends))
}

fn pipes(with_stdin: bool, identity: &Identity) -> Result<(Streams, Ends), StartError> {
    let (stdout_end, stdout) = pipe()?;
    let (stderr_end, stderr) = pipe()?;
    let (stdin, stdin_end) = if with_stdin {
        let (stdin, end) = pipe()?;
        (stdin, Some(waitable(end)?))
    } else {
        (File::open("/dev/null").map(OwnedFd::from).map_err(|error| SysError::from_io("open", "/dev/null", error))?, None)
    };
    give(&stdout, identity.uid)?;
    give(&stderr, identity.uid)?;
    let ends = Ends { stdin: stdin_end, stdout: waitable(stdout_end)?, stderr: Some(waitable(stderr_end)?) };
    Ok((Streams::Three { stdin, stdout, stderr }, ends))
}

fn waitable(fd: OwnedFd) -> Result<AsyncFile, SysError> {
    AsyncFile::new(fd).map_err(|error| SysError::from_io("epoll_ctl", "stream", error))
}

fn status(error: StartError) -> Status {
    let code = match error {
        StartError::Invalid(_) => Code::InvalidArgument,
        StartError::CommandNotFound(_) => Code::NotFound,
        StartError::System(_) => Code::Internal,
        _ => Code::FailedPrecondition,
    };
    Status::new(code, format!("{}: {error}", error.reason()))
}
