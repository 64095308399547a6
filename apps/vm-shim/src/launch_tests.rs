use super::*;

fn with(change: &str) -> String {
    let base = r#"{"version":1,"instanceId":"ins_1","epoch":"7","instanceDir":"/i","runDir":"/r","uid":900000,"memoryLimitBytes":"1048576","cgroup":"berth-1",
        "argv":["/vmm","fd={fd:tap}","{fd:console}+{fd:tap}"],"descriptors":[{"name":"console","pair":true},{"name":"tap","tap":"bt1"}],"console":"console"}"#;
    let Value::Object(mut base) = serde_json::from_str(base).unwrap() else { unreachable!() };
    let Value::Object(change) = serde_json::from_str(change).unwrap() else { unreachable!() };
    base.extend(change);
    Value::Object(base).to_string()
}

#[test]
fn proto3_json_is_read_with_numbers_as_strings_and_either_spelling() {
    let spec = parse(&with("{}")).unwrap();
    assert_eq!((spec.epoch, spec.uid, spec.memory_limit_bytes), (7, 900000, 1048576));
    assert_eq!(parse(&with(r#"{"host_boot_id":"b"}"#)).unwrap().host_boot_id, "b");
    assert_eq!(parse(&with(r#"{"epoch":8}"#)).unwrap().epoch, 8);
    assert_eq!(source_of(&spec, "tap"), Some(&Source::Tap("bt1".into())));
}

#[test]
fn descriptor_names_in_arguments_become_numbers() {
    let spec = parse(&with("{}")).unwrap();
    assert_eq!(arguments(&spec, 3).unwrap(), ["/vmm", "fd=4", "3+4"]);
}

#[test]
fn what_would_start_a_vmm_wrongly_is_refused() {
    for change in [
        r#"{"version":2}"#,
        r#"{"uid":0}"#,
        r#"{"uid":-1}"#,
        r#"{"uid":4294967296}"#,
        r#"{"argv":[]}"#,
        r#"{"argv":["/vmm","{fd:none}"]}"#,
        r#"{"argv":["/vmm","{fd:tap"]}"#,
        r#"{"argv":["/vmm",7]}"#,
        r#"{"cgroup":"../x"}"#,
        r#"{"cgroup":".."}"#,
        r#"{"cgroup":""}"#,
        r#"{"runDir":"r"}"#,
        r#"{"console":"tap"}"#,
        r#"{"qmp":"none"}"#,
        r#"{"descriptors":[{"name":"console","pair":true,"tap":"bt1"}]}"#,
        r#"{"descriptors":[{"name":"console"}]}"#,
    ] {
        assert!(parse(&with(change)).is_err(), "{change}");
    }
    assert!(parse("nonsense").is_err());
}
