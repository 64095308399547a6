use super::Answers;
use super::exec::{Ends, Seat};
use super::pump::{Kind, pump};
use crate::process::{Child, Exit, StartError, reaper};
use crate::proto::exec_request::Message;
use crate::proto::exec_response::Message as Answer;
use crate::proto::{AgentExecExit, ExecRequest, ExecResponse};
use crate::sys::io::AsyncFile;
use crate::sys::pty;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Answers that wait for the host before the command has to: half a mebibyte.
const ANSWERS: usize = 8;
/// Chunks of input that wait for the command before the host has to.
const CHUNKS: usize = 4;
/// How long a command whose caller is gone may take to end.
const HANGUP_GRACE: Duration = Duration::from_secs(5);
/// The terminal's end-of-file character.
const EOT: u8 = 4;

/// Sizes of terminals.
pub struct Terminal;

impl Terminal {
    /// Rows and columns as the kernel takes them.
    pub fn size(rows: u32, columns: u32) -> Result<(u16, u16), StartError> {
        match (rows.try_into(), columns.try_into()) {
            (Ok(rows), Ok(columns)) => Ok((rows, columns)),
            _ => Err(StartError::Invalid(format!("a terminal cannot be {rows} × {columns}"))),
        }
    }
}

/// A command that runs for a caller.
pub struct Session {
    pub child: Child,
    pub ends: Ends,
    pub terminal: bool,
    pub seat: Seat,
}

impl Session {
    /// Carries bytes both ways until the command has ended and all its output was sent, or the caller is gone.
    pub fn run(self, requests: Streaming<ExecRequest>) -> Answers<ExecResponse> {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        tokio::spawn(self.carry(requests, answers));
        Box::pin(ReceiverStream::new(receiver))
    }

    async fn carry(self, requests: Streaming<ExecRequest>, answers: mpsc::Sender<Result<ExecResponse, Status>>) {
        let Session { child, ends, terminal, seat: _seat } = self;
        let Child { pid, mut exit } = child;
        let _ = answers.send(Ok(ExecResponse { message: Some(Answer::Started(pid)) })).await;
        let ended = watch::Sender::new(None);
        let stdout = Arc::new(ends.stdout);
        let out = pump(&stdout, Kind::Stdout, &answers, ended.subscribe());
        let err = async {
            if let Some(stderr) = &ends.stderr {
                pump(stderr, Kind::Stderr, &answers, ended.subscribe()).await;
            }
        };
        let input = input(requests, ends.stdin, terminal.then(|| Arc::clone(&stdout)), pid);
        let output = async {
            let wait = async {
                let found = (&mut exit).await.ok();
                ended.send_replace(Some(tokio::time::Instant::now()));
                found
            };
            tokio::join!(out, err, wait).2
        };
        let outcome = tokio::select! {
            found = output => Ok(found),
            error = input => Err(Some(error)),
            () = answers.closed() => Err(None),
        };
        match outcome {
            Ok(found) => {
                let Exit { code, signal } = found.unwrap_or(Exit { code: 255, signal: 0 });
                let _ = answers.send(Ok(ExecResponse { message: Some(Answer::Exit(AgentExecExit { code, signal })) })).await;
            }
            Err(error) => {
                if let Some(error) = error {
                    let _ = answers.try_send(Err(error));
                }
                drop(answers);
                let ended = ended.borrow().is_some();
                hang_up(pid, exit, ended).await;
            }
        }
    }
}

/// Ends what a caller left behind.
async fn hang_up(pid: i32, exit: tokio::sync::oneshot::Receiver<Exit>, ended: bool) {
    if ended {
        return;
    }
    reaper::signal_group(pid, libc::SIGHUP);
    if timeout(HANGUP_GRACE, exit).await.is_err() {
        reaper::signal_group(pid, libc::SIGKILL);
    }
}

/// Takes what the host sends. Returns only with an error of the host's making; the end of its stream is the end of input.
async fn input(mut requests: Streaming<ExecRequest>, stdin: Option<AsyncFile>, terminal: Option<Arc<AsyncFile>>, pid: i32) -> Status {
    let (chunks, queue) = mpsc::channel(CHUNKS);
    let is_terminal = terminal.is_some();
    let read = async move {
        let mut chunks = Some(chunks);
        loop {
            let request = match requests.message().await {
                Ok(Some(request)) => request,
                Ok(None) => break,
                // The answers' end says whether the caller is gone.
                Err(_) => return std::future::pending().await,
            };
            match request.message {
                Some(Message::Stdin(bytes)) => {
                    // Input after the command closed its end, or after the host's own end of input, has nowhere to go.
                    if let Some(chunks) = &chunks {
                        let _ = chunks.send(bytes).await;
                    }
                }
                Some(Message::StdinEnd(_)) => chunks = None,
                Some(Message::Resize(size)) => match (Terminal::size(size.rows, size.columns), &terminal) {
                    (Ok((rows, columns)), Some(master)) => drop(pty::resize(master.as_ref(), rows, columns)),
                    (Err(error), _) => return Status::invalid_argument(format!("INVALID_SIZE: {error}")),
                    _ => {}
                },
                Some(Message::Signal(number @ 1..=64)) => reaper::signal_group(pid, number),
                Some(Message::Signal(number)) => return Status::invalid_argument(format!("INVALID_SIGNAL: there is no signal {number}")),
                Some(Message::Start(_)) | None => return Status::invalid_argument("UNEXPECTED_MESSAGE: a start comes once"),
            }
        }
        drop(chunks);
        std::future::pending().await
    };
    let write = async {
        feed(queue, stdin, is_terminal).await;
        std::future::pending().await
    };
    tokio::select! {
        error = read => error,
        error = write => error,
    }
}

async fn feed(mut queue: mpsc::Receiver<Vec<u8>>, stdin: Option<AsyncFile>, terminal: bool) {
    let Some(stdin) = stdin else { return };
    while let Some(bytes) = queue.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
    if terminal {
        let _ = stdin.write_all(&[EOT]).await;
    }
}
