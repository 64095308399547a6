use super::StartError;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Finds a program as a shell would: a name with a slash is a path from `working_dir`, any other is looked for in the folders of `search`.
pub fn find_program(name: &str, search: &str, working_dir: &str) -> Result<PathBuf, StartError> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![Path::new(working_dir).join(name)]
    } else {
        search.split(':').map(|folder| Path::new(working_dir).join(folder).join(name)).collect()
    };
    let mut refused = None;
    for path in candidates {
        match std::fs::metadata(&path) {
            Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => return Ok(path),
            Ok(file) => refused = refused.or(Some((path, file.is_dir()))),
            Err(_) => {}
        }
    }
    Err(match refused {
        Some((path, true)) if name.contains('/') => StartError::CommandNotExecutable(format!("“{}” is a folder", path.display())),
        Some((path, false)) => StartError::CommandNotExecutable(format!("“{}” may not be executed", path.display())),
        _ => StartError::CommandNotFound(name.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, set_permissions, write};

    #[test]
    fn the_first_executable_file_wins_and_the_error_says_what_was_wrong() {
        let root = std::env::temp_dir().join(format!("berth-lookup-{}", std::process::id()));
        create_dir_all(root.join("a/tool")).unwrap();
        create_dir_all(root.join("b")).unwrap();
        for (file, mode) in [("b/tool", 0o755), ("b/text", 0o644)] {
            write(root.join(file), "").unwrap();
            set_permissions(root.join(file), PermissionsExt::from_mode(mode)).unwrap();
        }
        let find = |name: &str| find_program(name, "a:b", root.to_str().unwrap());
        assert_eq!(find("tool").unwrap(), root.join("b/tool"));
        assert_eq!(find("./b/tool").unwrap(), root.join("./b/tool"));
        assert!(matches!(find("text"), Err(StartError::CommandNotExecutable(_))));
        assert!(matches!(find("./a/tool"), Err(StartError::CommandNotExecutable(_))));
        assert!(matches!(find("none"), Err(StartError::CommandNotFound(_))));
        std::fs::remove_dir_all(root).unwrap();
    }
}
