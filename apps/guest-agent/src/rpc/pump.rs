use crate::proto::ExecResponse;
use crate::proto::exec_response::Message;
use crate::sys::io::AsyncFile;
use std::cell::RefCell;
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

const CHUNK_BYTES: usize = 64 << 10;
/// How long a descriptor that outlives its command is listened to: a daemon that the command left behind may hold it for ever.
const AFTER_EXIT: Duration = Duration::from_secs(1);

thread_local! {
    /// Where all pumps of the one thread read to: a thousand idle commands need no buffers of their own.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK_BYTES]);
}

/// Which stream.
#[derive(Clone, Copy)]
pub enum Kind {
    Stdout,
    Stderr,
}

/// Sends what comes until the stream ends, the caller is gone, or the time after the command's end is over. What the command itself had
/// written by its end is always sent, however slowly the host takes it.
pub async fn pump(
    stream: &AsyncFile,
    kind: Kind,
    answers: &mpsc::Sender<Result<ExecResponse, Status>>,
    mut ended: watch::Receiver<Option<Instant>>,
) {
    let mut owed: Option<usize> = None;
    loop {
        let deadline = *ended.borrow_and_update();
        let owed_now = deadline.map(|_| *owed.get_or_insert_with(|| stream.available()));
        let bytes = match (deadline, owed_now) {
            (Some(at), Some(0)) => tokio::select! {
                bytes = read(stream) => bytes,
                () = sleep_until(at + AFTER_EXIT) => return,
            },
            (Some(_), _) => read(stream).await,
            (None, _) => tokio::select! {
                bytes = read(stream) => bytes,
                _ = ended.changed() => continue,
            },
        };
        // A terminal whose last user is gone reads as EIO.
        let Ok(bytes) = bytes else { return };
        if bytes.is_empty() {
            return;
        }
        owed = owed.map(|count| count.saturating_sub(bytes.len()));
        let message = Some(match kind {
            Kind::Stdout => Message::Stdout(bytes),
            Kind::Stderr => Message::Stderr(bytes),
        });
        if answers.send(Ok(ExecResponse { message })).await.is_err() {
            return;
        }
        if ended.borrow().is_some_and(|at| at + AFTER_EXIT < Instant::now()) && owed == Some(0) {
            return;
        }
    }
}

async fn read(stream: &AsyncFile) -> io::Result<Vec<u8>> {
    stream.read_chunk(|fd| BUFFER.with_borrow_mut(|buffer| crate::sys::io::read(fd, buffer).map(|count| buffer[..count].to_vec()))).await
}
