/// Where programs are looked for when the environment has no PATH; a container runtime's.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The value of a variable; the last entry counts.
pub fn value<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
}

/// Each variable once, the last entry winning, and `defaults` for those that are missing.
pub fn complete(env: &[String], defaults: &[(&str, &str)]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_string();
    let mut result: Vec<String> = Vec::new();
    for entry in env {
        match result.iter_mut().find(|known| name(known) == name(entry)) {
            Some(known) => known.clone_from(entry),
            None => result.push(entry.clone()),
        }
    }
    for (key, text) in defaults {
        if value(env, key).is_none() {
            result.push(format!("{key}={text}"));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_entry_overrules_and_defaults_fill_the_gaps() {
        let env = ["A=1", "HOME=/x", "A=2"].map(String::from);
        assert_eq!(complete(&env, &[("HOME", "/"), ("PATH", "/bin")]), ["A=2", "HOME=/x", "PATH=/bin"]);
        assert_eq!(value(&env, "A"), Some("2"));
        assert_eq!(value(&env, "HO"), None);
    }
}
