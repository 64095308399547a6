//! The shim's own QEMU monitor: a client that connects later never hears what was.

use crate::proto::journal_entry::Event;
use crate::proto::{GuestPanicked, GuestPaused, GuestPoweredOff, GuestReset, GuestResumed};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longer lines than this are no event the shim wants.
const LINE_BYTES: u64 = 64 << 10;

/// A machine that resets says so several times within some tenths of a second, and a guest that does nothing else must not wear the disk out.
const RESETS_APART: Duration = Duration::from_secs(1);

/// Hears events until the VMM closes the monitor.
pub fn listen(stream: &UnixStream, mut heard: impl FnMut(Event)) {
    let mut reader = BufReader::with_capacity(1 << 10, stream);
    let mut line = Vec::new();
    // The greeting asks for this answer; events come only after it.
    let mut writer = stream;
    if writer.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").is_err() {
        return;
    }
    let mut last_reset: Option<Instant> = None;
    loop {
        line.clear();
        match (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        match event_of(&line) {
            Some(Event::Reset(_)) if last_reset.is_some_and(|at| at.elapsed() < RESETS_APART) => {}
            Some(event) => {
                last_reset = if matches!(event, Event::Reset(_)) { Some(Instant::now()) } else { last_reset };
                heard(event);
            }
            None => {}
        }
    }
}

/// The event of a line, if it is one that the journal keeps.
fn event_of(line: &[u8]) -> Option<Event> {
    let message: Value = serde_json::from_slice(line).ok()?;
    let reason = message.pointer("/data/reason").and_then(Value::as_str).unwrap_or_default();
    match message.get("event")?.as_str()? {
        "RESET" => Some(Event::Reset(GuestReset {})),
        "SHUTDOWN" if reason == "guest-shutdown" => Some(Event::PoweredOff(GuestPoweredOff {})),
        "GUEST_PANICKED" => Some(Event::Panicked(GuestPanicked {})),
        "STOP" => Some(Event::Paused(GuestPaused {})),
        "RESUME" => Some(Event::Resumed(GuestResumed {})),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_did_is_told_from_what_the_host_did() {
        let shutdown = |reason: &str| event_of(format!(r#"{{"event":"SHUTDOWN","data":{{"guest":true,"reason":"{reason}"}}}}"#).as_bytes());
        assert_eq!(shutdown("guest-shutdown"), Some(Event::PoweredOff(GuestPoweredOff {})));
        assert_eq!(shutdown("host-qmp-quit"), None);
        assert_eq!(event_of(br#"{"event":"RESET","data":{"guest":true,"reason":"guest-reset"}}"#), Some(Event::Reset(GuestReset {})));
        assert_eq!(event_of(br#"{"event":"NIC_RX_FILTER_CHANGED"}"#), None);
        assert_eq!(event_of(br#"{"return":{}}"#), None);
        assert_eq!(event_of(b"nonsense"), None);
    }

    #[test]
    fn capabilities_are_asked_for_and_events_follow_with_one_reset_for_a_burst() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut vmm = &theirs;
        vmm.write_all(
            b"{\"QMP\":{}}\n{\"return\":{}}\n{\"event\":\"STOP\"}\n{\"event\":\"RESET\"}\n{\"event\":\"RESUME\"}\n{\"event\":\"RESET\"}\n",
        )
        .unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let mut events = Vec::new();
        listen(&ours, |event| events.push(event));
        assert_eq!(events, [Event::Paused(GuestPaused {}), Event::Reset(GuestReset {}), Event::Resumed(GuestResumed {})]);
        let mut asked = String::new();
        drop(ours);
        (&theirs).read_to_string(&mut asked).unwrap();
        assert!(asked.contains("qmp_capabilities"));
    }
}
