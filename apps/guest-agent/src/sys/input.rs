//! The power button, as an input device.

use super::io::AsyncFile;
use std::fs::{File, read_dir};
use std::os::fd::OwnedFd;

const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
/// struct input_event of a 64-bit kernel: two longs, type, code, value.
const EVENT_BYTES: usize = 24;

/// All input devices there are. None on kernels without the evdev module.
pub fn devices() -> Vec<AsyncFile> {
    let Ok(entries) = read_dir("/dev/input") else { return Vec::new() };
    let events = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("event"));
    events.filter_map(|entry| File::open(entry.path()).ok()).filter_map(|file| AsyncFile::new(OwnedFd::from(file)).ok()).collect()
}

/// Waits until the power button is pressed; for ever on a device that has none.
pub async fn power_pressed(device: &AsyncFile) {
    let mut buffer = [0u8; EVENT_BYTES * 16];
    while let Ok(count @ 1..) = device.read(&mut buffer).await {
        if buffer[..count].chunks_exact(EVENT_BYTES).any(is_power_press) {
            return;
        }
    }
    std::future::pending().await
}

fn is_power_press(event: &[u8]) -> bool {
    let field = |at: usize| u16::from_ne_bytes([event[at], event[at + 1]]);
    field(16) == EV_KEY && field(18) == KEY_POWER && field(20) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_press_of_the_power_key_counts() {
        let event =
            |kind: u16, code: u16, value: u32| [&[0; 16][..], &kind.to_ne_bytes(), &code.to_ne_bytes(), &value.to_ne_bytes()].concat();
        assert!(is_power_press(&event(EV_KEY, KEY_POWER, 1)));
        assert!(!is_power_press(&event(EV_KEY, KEY_POWER, 0)));
        assert!(!is_power_press(&event(EV_KEY, 30, 1)));
    }
}
