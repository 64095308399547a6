use super::Client;
use crate::proto::journal_entry::Event;
use crate::proto::shim_request::Command;
use crate::proto::shim_response::Answer;
use crate::proto::{ConsoleBytes, JournalEntry, ShimDone, ShimReadConsole, ShimRequest, ShimResponse};
use crate::shim::Shim;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Console bytes in one message, either way.
const CONSOLE_BYTES: usize = 64 << 10;
/// How often a follower that hears nothing looks whether its client is still there.
const LOOK: Duration = Duration::from_secs(5);

/// Answers a request; with `follow` and `watch` only when the client goes or the VMM has ended.
pub fn answer(shim: &Shim, client: &Client<'_>, request: ShimRequest) -> io::Result<()> {
    if !shim.admits(request.epoch) {
        return refuse(client, "STALE_EPOCH", format!("epoch {} is lower than {}", request.epoch, shim.state().epoch));
    }
    // What a service that has gone had asked for is nobody's wish any more: its successor may be at work, and has not been heard here yet.
    if client.gone() {
        return Ok(());
    }
    match request.command {
        Some(Command::Hello(_) | Command::Status(_)) => client.send(ok(Answer::State(shim.state()))),
        Some(Command::ReadJournal(wanted)) => {
            shim.journal.from(wanted.from).into_iter().try_for_each(|entry| client.send(ok(Answer::Entry(entry))))?;
            done(client)
        }
        Some(Command::WatchJournal(wanted)) => {
            shim.watchers.fetch_add(1, Ordering::SeqCst);
            let result = watch_journal(shim, client, wanted.from);
            shim.watchers.fetch_sub(1, Ordering::SeqCst);
            result
        }
        Some(Command::Signal(wanted)) => signal(shim, client, wanted.signal),
        Some(Command::ReadConsole(wanted)) => read_console(shim, client, &wanted),
        Some(Command::WriteConsole(wanted)) if wanted.data.len() > CONSOLE_BYTES => refuse(client, "BAD_REQUEST", "too many bytes".into()),
        Some(Command::WriteConsole(_)) if shim.ended.load(Ordering::Relaxed) => no_vmm(client),
        Some(Command::WriteConsole(wanted)) => match shim.console.write(&wanted.data) {
            Ok(()) => done(client),
            Err(error) => refuse(client, "IO", error.to_string()),
        },
        None => refuse(client, "BAD_REQUEST", "a command this shim does not know".into()),
    }
}

fn signal(shim: &Shim, client: &Client<'_>, number: i32) -> io::Result<()> {
    if !(1..=64).contains(&number) {
        return refuse(client, "BAD_REQUEST", format!("there is no signal {number}"));
    }
    match shim.signal(number) {
        Some(Ok(())) => done(client),
        Some(Err(error)) => refuse(client, "IO", error.to_string()),
        None => no_vmm(client),
    }
}

/// Ends after the VMM's exit, which is the last entry of its life.
fn watch_journal(shim: &Shim, client: &Client<'_>, from: i64) -> io::Result<()> {
    let mut next = from;
    while !client.gone() {
        for entry in shim.journal.wait_from(next, LOOK) {
            next = entry.seq + 1;
            let last = is_exit(&entry) && shim.ended.load(Ordering::Relaxed) && entry.seq == shim.journal.seq();
            client.send(ok(Answer::Entry(entry)))?;
            if last {
                return done(client);
            }
        }
    }
    Ok(())
}

fn is_exit(entry: &JournalEntry) -> bool {
    matches!(entry.event, Some(Event::Exited(_)))
}

fn read_console(shim: &Shim, client: &Client<'_>, wanted: &ShimReadConsole) -> io::Result<()> {
    let (start, end) = shim.console.range();
    if wanted.offset < 0 || wanted.tail_bytes < 0 || wanted.offset as u64 > end {
        return refuse(client, "BAD_REQUEST", format!("the console ends at {end}"));
    }
    let mut next = if wanted.tail_bytes > 0 { end.saturating_sub(wanted.tail_bytes as u64).max(start) } else { wanted.offset as u64 };
    loop {
        let (data, after) = match shim.console.read(next, CONSOLE_BYTES) {
            Ok(found) => found,
            Err(error) => return refuse(client, "IO", error.to_string()),
        };
        next = after;
        if !data.is_empty() {
            client.send(ok(Answer::Console(ConsoleBytes { data, next_offset: after as i64 })))?;
        } else if !wanted.follow || shim.ended.load(Ordering::Relaxed) {
            return done(client);
        } else if client.gone() {
            return Ok(());
        } else {
            shim.console.wait(next, LOOK);
        }
        // Without `follow` the answer ends where the console did when it was asked for: a guest that never stops writing must not keep it going.
        if !wanted.follow && next >= end {
            return done(client);
        }
    }
}

fn ok(answer: Answer) -> ShimResponse {
    ShimResponse { answer: Some(answer), ..Default::default() }
}

fn done(client: &Client<'_>) -> io::Result<()> {
    client.send(ok(Answer::Done(ShimDone {})))
}

fn no_vmm(client: &Client<'_>) -> io::Result<()> {
    refuse(client, "NO_VMM", "the VMM has ended".into())
}

fn refuse(client: &Client<'_>, error: &str, message: String) -> io::Result<()> {
    client.send(ShimResponse { error: error.into(), message, ..Default::default() })
}
