use super::StartError;

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home folder; `/` for an id that the image does not know.
    pub home: String,
}

/// Looks `user`, `uid`, `user:group` or `uid:gid` up in the texts of /etc/passwd and /etc/group; empty is root. Names come before numbers, and an
/// unknown number is taken as it is. Supplementary groups are the user's own, or none when a group is named; all as container runtimes do it.
pub fn resolve(spec: &str, passwd: &str, group: &str) -> Result<Identity, StartError> {
    let missing = || StartError::UserNotFound(spec.into());
    let (user, group_spec) = spec.split_once(':').unwrap_or((spec, ""));
    let user = if user.is_empty() { "0" } else { user };
    let mut identity = match account(user, passwd) {
        Some((name, mut identity)) => {
            identity.groups = if group_spec.is_empty() { memberships(&name, group) } else { Vec::new() };
            identity
        }
        None => Identity { uid: number(user).ok_or_else(missing)?, gid: 0, groups: Vec::new(), home: "/".into() },
    };
    if !group_spec.is_empty() {
        identity.gid = group_id(group_spec, group).ok_or_else(missing)?;
    }
    Ok(identity)
}

fn account(user: &str, passwd: &str) -> Option<(String, Identity)> {
    let entries = || passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).filter(|fields| fields.len() >= 6);
    let by_name = entries().find(|fields| fields[0] == user);
    let found = by_name.or_else(|| entries().find(|fields| number(user).is_some() && number(fields[2]) == number(user)))?;
    let home = if found[5].is_empty() { "/" } else { found[5] };
    Some((found[0].into(), Identity { uid: number(found[2])?, gid: number(found[3])?, groups: Vec::new(), home: home.into() }))
}

fn memberships(name: &str, group: &str) -> Vec<u32> {
    let entries = group.lines().map(|line| line.split(':').collect::<Vec<_>>()).filter(|fields| fields.len() >= 4);
    entries.filter(|fields| fields[3].split(',').any(|member| member == name)).filter_map(|fields| number(fields[2])).collect()
}

fn group_id(spec: &str, group: &str) -> Option<u32> {
    let entry = group.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.len() >= 3 && fields[0] == spec);
    entry.map_or_else(|| number(spec), |fields| number(fields[2]))
}

/// Ids go up to 2^31 - 1, as in container runtimes: the largest ones mean “unchanged” to the kernel.
fn number(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().filter(|id| *id <= i32::MAX as u32 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/sh\n5:x:55:55::/five:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nweb:x:33:\nlog:x:4:web,root\naudio:x:29:web\n";

    fn of(spec: &str) -> Identity {
        resolve(spec, PASSWD, GROUP).unwrap()
    }

    #[test]
    fn nobody_named_is_root_with_its_groups() {
        assert_eq!(of(""), Identity { uid: 0, gid: 0, groups: vec![4], home: "/root".into() });
    }

    #[test]
    fn a_name_or_its_number_gives_group_memberships_and_home() {
        let web = Identity { uid: 33, gid: 33, groups: vec![4, 29], home: "/var/www".into() };
        assert_eq!(of("web"), web);
        assert_eq!(of("33"), web);
    }

    #[test]
    fn a_name_made_of_digits_comes_before_the_number() {
        assert_eq!(of("5").uid, 55);
    }

    #[test]
    fn an_unknown_number_is_taken_with_group_zero_and_no_home() {
        assert_eq!(of("1234"), Identity { uid: 1234, gid: 0, groups: vec![], home: "/".into() });
        assert_eq!(of("1234:99").gid, 99);
    }

    #[test]
    fn a_named_group_replaces_the_users_groups() {
        assert_eq!(of("web:log"), Identity { uid: 33, gid: 4, groups: vec![], home: "/var/www".into() });
    }

    #[test]
    fn unknown_names_and_ids_out_of_range_are_refused() {
        for spec in ["nobody", "web:none", "4294967295", "-1", "+5"] {
            assert!(matches!(resolve(spec, PASSWD, GROUP), Err(StartError::UserNotFound(_))), "{spec}");
        }
    }
}
