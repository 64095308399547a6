//! The real shim with a shell as its VMM. Needs root, as the shim does.

mod support;

use berth_shim::proto::journal_entry::Event;
use berth_shim::proto::shim_request::Command;
use berth_shim::proto::shim_response::Answer;
use berth_shim::proto::{ShimHello, ShimReadConsole, ShimSignal, ShimStatus, ShimWatchJournal, ShimWriteConsole};
use support::{Vm, lives, wait_until};

#[test]
fn a_vmm_gets_its_descriptors_and_nothing_else_of_root() {
    // Listed by the shell itself: a pipe to a command would be among its own descriptors for a moment.
    let script = "exec 1>&{fd:console} 2>&1; cd /; for fd in /proc/$$/fd/*; do printf '%s ' ${fd##*/}; done; cat /proc/$$/status /proc/$$/limits; echo env=$(tr '\\0' ' ' </proc/$$/environ); exit 7";
    let leak = support::inheritable_file();
    let mut vm = Vm::new("privileges", script);
    vm.spec["env"] = ["A=b"].as_slice().into();
    assert!(vm.start().starts_with("ready "));
    let Event::Exited(exited) = vm.wait_for_exit() else { unreachable!() };
    assert_eq!((exited.known, exited.code, exited.signal, exited.start_failed), (true, 7, 0, false));
    drop(leak);
    let text = vm.console();
    assert!(text.starts_with("0 1 2 3 "), "{text}");
    let descriptors = text.split("Name:").next().unwrap().split_whitespace().count();
    assert!(descriptors <= 5, "the shell's own and the console: {text}");
    for line in ["CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(
        text.contains("NoNewPrivs:\t1") && text.contains("Uid:\t900000\t900000\t900000\t900000") && text.contains("Gid:\t900000"),
        "{text}"
    );
    assert!(text.contains("Groups:\t \n") && text.contains("env=A=b"), "{text}");
    vm.wait_until_gone();
}

#[test]
fn a_signal_stops_continues_and_ends_a_vmm_and_who_watches_hears_of_it() {
    let vm = Vm::new("signals", "exec sleep 1000");
    vm.start();
    let mut watcher = vm.connect();
    watcher.ask(7, Command::WatchJournal(ShimWatchJournal { from: 1 }));
    let mut heard = |wanted: fn(&Event) -> bool| {
        let Some(Answer::Entry(entry)) = watcher.next().answer else { panic!("no entry") };
        assert!(wanted(entry.event.as_ref().unwrap()), "{entry:?}");
    };
    let signal = |signal| assert_eq!(vm.call(7, Command::Signal(ShimSignal { signal })).error, "");
    heard(|event| matches!(event, Event::Started(_)));
    signal(libc::SIGSTOP);
    heard(|event| matches!(event, Event::Stopped(_)));
    assert!(vm.state().stopped);
    signal(libc::SIGCONT);
    heard(|event| matches!(event, Event::Continued(_)));
    signal(libc::SIGKILL);
    heard(|event| matches!(event, Event::Exited(exited) if exited.known && exited.signal == libc::SIGKILL && !exited.out_of_memory));
    vm.wait_until_gone();
}

#[test]
fn a_command_of_an_overtaken_service_is_refused() {
    let vm = Vm::new("epoch", "exec sleep 1000");
    vm.start();
    assert_eq!(vm.call(4, Command::Hello(ShimHello { protocol: 1 })).error, "STALE_EPOCH");
    assert_eq!(vm.call(9, Command::Status(ShimStatus {})).error, "");
    assert_eq!(vm.call(8, Command::Signal(ShimSignal { signal: libc::SIGKILL })).error, "STALE_EPOCH");
    assert_eq!(vm.call(9, Command::Signal(ShimSignal { signal: 99 })).error, "BAD_REQUEST");
    assert!(lives(vm.state_at(9).vmm_pid));
    vm.call(9, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    vm.wait_until_gone();
}

#[test]
fn a_command_that_was_queued_when_its_service_died_changes_nothing() {
    let vm = Vm::new("queued", "exec sleep 1000");
    vm.start();
    let before = vm.state();
    support::kill(before.shim_pid, libc::SIGSTOP);
    let mut service = vm.connect();
    service.ask(7, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    drop(service);
    let mut successor = vm.connect();
    successor.ask(8, Command::Status(ShimStatus {}));
    support::kill(before.shim_pid, libc::SIGCONT);
    let Some(Answer::State(after)) = successor.next().answer else { panic!("no state") };
    assert_eq!((after.vmm_pid, after.vmm_start_ticks), (before.vmm_pid, before.vmm_start_ticks));
    assert!(lives(before.vmm_pid));
    vm.call(8, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    let Event::Exited(exited) = vm.wait_for_exit() else { unreachable!() };
    assert!(exited.known);
    vm.wait_until_gone();
}

#[test]
fn a_socket_that_is_deleted_with_its_folder_is_there_again() {
    let vm = Vm::new("door", "exec sleep 1000");
    vm.start();
    let before = vm.state();
    vm.delete_run_folder();
    support::wait_until("the socket is there", || vm.has_socket());
    assert_eq!(vm.state(), before);
    assert_eq!(vm.run_folder_mode(), 0o711);
    vm.call(7, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    vm.wait_until_gone();
}

#[test]
fn a_killed_shim_leaves_its_vmm_running_and_the_next_one_adopts_it() {
    let vm = Vm::new("adopt", "exec sleep 1000");
    vm.start();
    let before = vm.state();
    support::kill(before.shim_pid, libc::SIGTERM);
    assert_eq!(vm.state().shim_pid, before.shim_pid);
    assert!(vm.adopt().starts_with("failed another shim"), "one shim for a VM");
    support::kill(before.shim_pid, libc::SIGKILL);
    wait_until("the shim is gone", || !lives(before.shim_pid));
    assert!(lives(before.vmm_pid));
    assert!(vm.start().contains("still runs"), "never a second VMM");
    assert!(vm.adopt().starts_with("ready "));
    let after = vm.state();
    assert_eq!((after.vmm_pid, after.vmm_start_ticks, after.child), (before.vmm_pid, before.vmm_start_ticks, false));
    vm.call(7, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    let Event::Exited(exited) = vm.wait_for_exit() else { unreachable!() };
    assert!(!exited.known);
    vm.wait_until_gone();
}

#[test]
fn a_shim_that_a_signal_holds_is_replaced_and_its_vmm_runs_on() {
    let vm = Vm::new("replace", "exec sleep 1000");
    vm.start();
    let before = vm.state();
    support::kill(before.shim_pid, libc::SIGSTOP);
    assert!(vm.adopt().starts_with("failed another shim"), "who is held is there");
    assert!(vm.replace().starts_with("ready "));
    assert!(!lives(before.shim_pid));
    let after = vm.state();
    assert_ne!(after.shim_pid, before.shim_pid);
    assert_eq!((after.vmm_pid, after.vmm_start_ticks, after.child), (before.vmm_pid, before.vmm_start_ticks, false));
    assert!(vm.replace().starts_with("ready "), "one that answers can be replaced as well");
    vm.call(7, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    vm.wait_for_exit();
    vm.wait_until_gone();
    assert!(vm.replace().contains("no VMM is recorded"));
}

#[test]
fn a_vmm_that_ended_without_a_shim_is_written_down_as_ended() {
    let vm = Vm::new("ended", "exec sleep 1000");
    vm.start();
    let state = vm.state();
    support::kill(state.shim_pid, libc::SIGKILL);
    wait_until("the shim is gone", || !lives(state.shim_pid));
    support::kill(state.vmm_pid, libc::SIGKILL);
    wait_until("the VMM is gone", || !lives(state.vmm_pid));
    assert!(vm.adopt().contains("has ended"));
    assert!(matches!(vm.wait_for_exit(), Event::Exited(exited) if !exited.known));
    assert!(vm.adopt().contains("no VMM is recorded"));
    vm.wait_until_gone();
}

#[test]
fn numbers_of_journal_and_console_go_on_over_starts() {
    let vm = Vm::new("again", "echo hello >&{fd:console}; exit 0");
    for round in 1..=2 {
        vm.start();
        vm.wait_for_exit();
        vm.wait_until_gone();
        assert_eq!(vm.journal().last().unwrap().seq, 2 * round);
        assert_eq!(vm.console(), "hello\n".repeat(round as usize));
    }
}

#[test]
fn a_vmm_that_cannot_be_executed_is_a_failed_start() {
    let mut vm = Vm::new("missing", "");
    vm.spec["argv"] = ["/no/such/vmm"].as_slice().into();
    assert!(vm.start().starts_with("failed execve"));
    assert!(matches!(vm.wait_for_exit(), Event::Exited(exited) if exited.start_failed && !exited.stderr_tail.is_empty()));
    vm.spec["argv"] = ["/bin/true"].as_slice().into();
    vm.spec["descriptors"].as_array_mut().unwrap().push(serde_json::json!({ "name": "tap", "tap": "bt-none" }));
    assert!(vm.start().starts_with("failed find tap"));
    vm.wait_until_gone();
}

#[test]
fn a_vmm_killed_for_memory_is_told_from_one_killed_by_hand() {
    let mut vm = Vm::new("memory", "echo eating >&2; exec tail /dev/zero");
    vm.spec["memoryLimitBytes"] = "33554432".into();
    vm.start();
    let Event::Exited(exited) = vm.wait_for_exit() else { unreachable!() };
    assert!(exited.out_of_memory && exited.signal == libc::SIGKILL, "{exited:?}");
    assert_eq!(exited.stderr_tail, b"eating\n");
    vm.wait_until_gone();
}

#[test]
fn the_console_is_followed_and_written_to() {
    let vm = Vm::new("console", "exec cat <&{fd:console} >&{fd:console}");
    vm.start();
    let mut follower = vm.connect();
    follower.ask(7, Command::ReadConsole(ShimReadConsole { offset: 0, tail_bytes: 0, follow: true }));
    assert_eq!(vm.call(7, Command::WriteConsole(ShimWriteConsole { data: b"echo\n".to_vec() })).error, "");
    let Some(Answer::Console(bytes)) = follower.next().answer else { panic!("no console") };
    assert_eq!((bytes.data.as_slice(), bytes.next_offset), (&b"echo\n"[..], 5));
    let tail = vm.call(7, Command::ReadConsole(ShimReadConsole { offset: 0, tail_bytes: 2, follow: false }));
    assert!(matches!(tail.answer, Some(Answer::Console(bytes)) if bytes.data == b"o\n"));
    assert_eq!(vm.call(7, Command::ReadConsole(ShimReadConsole { offset: 99, tail_bytes: 0, follow: false })).error, "BAD_REQUEST");
    vm.call(7, Command::Signal(ShimSignal { signal: libc::SIGKILL }));
    vm.wait_until_gone();
}
