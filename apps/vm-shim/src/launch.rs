//! `launch.json`: a LaunchSpec in proto3 JSON.

use crate::proto::launch_descriptor::Source;
use crate::proto::{LaunchDescriptor, LaunchSpec};
use serde_json::Value;

/// Version of the layout that this shim reads.
const VERSION: i64 = 1;
/// More descriptors than this no VMM gets.
const DESCRIPTORS: usize = 64;

/// Reads and checks a launch spec. Numbers may be strings, names may be in lowerCamelCase or as in the proto; unknown fields are left to newer shims.
pub fn parse(text: &str) -> Result<LaunchSpec, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let fields = Fields(&value);
    let spec = LaunchSpec {
        version: fields.number("version")?.try_into().unwrap_or(0),
        instance_id: fields.text("instance_id")?,
        epoch: fields.number("epoch")?,
        instance_dir: fields.text("instance_dir")?,
        run_dir: fields.text("run_dir")?,
        uid: fields.number("uid")?.try_into().map_err(|_| "uid is out of range")?,
        memory_limit_bytes: fields.number("memory_limit_bytes")?,
        cgroup: fields.text("cgroup")?,
        argv: fields.texts("argv")?,
        env: fields.texts("env")?,
        descriptors: fields.list("descriptors")?.iter().map(descriptor).collect::<Result<_, _>>()?,
        console: fields.text("console")?,
        qmp: fields.text("qmp")?,
        host_boot_id: fields.text("host_boot_id")?,
    };
    check(&spec)?;
    Ok(spec)
}

fn descriptor(value: &Value) -> Result<LaunchDescriptor, String> {
    let fields = Fields(value);
    let text = |name| fields.text(name).map(|text| Some(text).filter(|text| !text.is_empty()));
    let source = match (text("tap")?, text("listen")?, text("file_read_write")?, text("file_read_only")?, fields.flag("pair")?) {
        (Some(name), None, None, None, false) => Source::Tap(name),
        (None, Some(path), None, None, false) => Source::Listen(path),
        (None, None, Some(path), None, false) => Source::FileReadWrite(path),
        (None, None, None, Some(path), false) => Source::FileReadOnly(path),
        (None, None, None, None, true) => Source::Pair(true),
        _ => return Err("a descriptor has none or several sources".into()),
    };
    Ok(LaunchDescriptor { name: fields.text("name")?, source: Some(source) })
}

fn check(spec: &LaunchSpec) -> Result<(), String> {
    let err = |text: &str| Err(text.to_string());
    if i64::from(spec.version) != VERSION {
        return Err(format!("version {} is not {VERSION}", spec.version));
    }
    if spec.uid == 0 {
        return err("a VMM does not run as root");
    }
    if spec.argv.first().is_none_or(|program| program.is_empty()) {
        return err("there is no VMM to start");
    }
    if !spec.instance_dir.starts_with('/') || !spec.run_dir.starts_with('/') {
        return err("instance_dir and run_dir are absolute paths");
    }
    if spec.cgroup.starts_with('.') || !spec.cgroup.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return err("cgroup is a plain name");
    }
    if spec.memory_limit_bytes > 0 && spec.cgroup.is_empty() {
        return err("a memory limit needs a cgroup");
    }
    if spec.argv.iter().chain(&spec.env).any(|text| text.contains('\0')) {
        return err("a text holds a NUL byte");
    }
    if spec.descriptors.len() > DESCRIPTORS {
        return err("too many descriptors");
    }
    for kept in [&spec.console, &spec.qmp].into_iter().filter(|name| !name.is_empty()) {
        match source_of(spec, kept) {
            Some(Source::Pair(_) | Source::Listen(_)) => {}
            _ => return Err(format!("“{kept}” is neither a pair nor a listening descriptor")),
        }
    }
    arguments(spec, 0).map(drop)
}

/// Where a descriptor of that name comes from.
pub fn source_of<'a>(spec: &'a LaunchSpec, name: &str) -> Option<&'a Source> {
    spec.descriptors.iter().find(|descriptor| descriptor.name == name)?.source.as_ref()
}

/// The arguments with `{fd:NAME}` replaced by numbers: descriptors stand in their order from `first` on.
pub fn arguments(spec: &LaunchSpec, first: i32) -> Result<Vec<String>, String> {
    let replace = |argument: &String| {
        let mut result = String::new();
        let mut rest = argument.as_str();
        while let Some((before, after)) = rest.split_once("{fd:") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("“{argument}” has no end of a descriptor's name"))?;
            let at = spec.descriptors.iter().position(|descriptor| descriptor.name == name);
            let at = at.ok_or_else(|| format!("“{argument}” names a descriptor that is not there"))?;
            result.push_str(&format!("{before}{}", first + at as i32));
            rest = after;
        }
        Ok(result + rest)
    };
    spec.argv.iter().map(replace).collect()
}

struct Fields<'a>(&'a Value);

impl Fields<'_> {
    fn get(&self, name: &str) -> &Value {
        let mut camel = String::new();
        for part in name.split('_') {
            let (head, tail) = part.split_at(1);
            camel.push_str(&if camel.is_empty() { head.to_string() } else { head.to_ascii_uppercase() });
            camel.push_str(tail);
        }
        self.0.get(&camel).or_else(|| self.0.get(name)).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> Result<String, String> {
        match self.get(name) {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            _ => Err(format!("{name} is no text")),
        }
    }

    fn number(&self, name: &str) -> Result<i64, String> {
        let found = match self.get(name) {
            Value::Null => Some(0),
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        found.filter(|number| *number >= 0).ok_or_else(|| format!("{name} is no number of 0 or more"))
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        self.get(name).as_bool().or(self.get(name).is_null().then_some(false)).ok_or_else(|| format!("{name} is neither true nor false"))
    }

    fn list(&self, name: &str) -> Result<&[Value], String> {
        match self.get(name) {
            Value::Null => Ok(&[]),
            Value::Array(values) => Ok(values),
            _ => Err(format!("{name} is no list")),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        self.list(name)?
            .iter()
            .map(|value| value.as_str().map(String::from).ok_or_else(|| format!("{name} holds something else than texts")))
            .collect()
    }
}

#[cfg(test)]
#[path = "launch_tests.rs"]
mod tests;
