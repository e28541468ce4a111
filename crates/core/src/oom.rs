//! The `OOMPolicy=` of the systemd service that the server runs in (systemd.service): what systemd does when the OOM
//! killer kills the engine, which sets itself as the preferred victim. The default stops the whole service.
//!
//! Derived from unit files and drop-ins as systemd loads them (systemd.unit, "Unit File Load Path"). Changes since the
//! last `systemctl daemon-reload` are assumed to be in force.

use std::collections::BTreeMap;

/// What systemd does with the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OomPolicy {
    /// The service continues.
    Continue,
    /// The service is stopped, including PostgreSQL.
    Stop,
    /// All processes of the service are killed at once.
    Kill,
    /// The server does not run in a systemd service.
    None,
    /// The server runs in a unit whose policy cannot be determined.
    Unknown,
}

impl OomPolicy {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "continue" => Some(Self::Continue),
            "stop" => Some(Self::Stop),
            "kill" => Some(Self::Kill),
            _ => None,
        }
    }
}

/// Access to the file system.
pub trait Files {
    /// The text of a file; `None` if it cannot be read.
    fn read(&self, path: &str) -> Option<String>;
    /// The names of the entries of a directory; empty if it cannot be read.
    fn list(&self, directory: &str) -> Vec<String>;
}

/// Unit file directories, in order of precedence.
const UNIT_DIRECTORIES: [&str; 12] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Directories of `system.conf` and its drop-ins, in order of precedence.
const MANAGER_DIRECTORIES: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/// The policy of the service that this process belongs to.
pub fn policy(files: &impl Files) -> OomPolicy {
    let Some(cgroup) = files.read("/proc/self/cgroup").and_then(|lines| path(&lines)) else { return OomPolicy::None };
    let is_unit = |name: &&str| name.ends_with(".service") || name.ends_with(".scope");
    let mut units = cgroup.split('/').filter(is_unit);
    let Some(unit) = units.next() else { return OomPolicy::None };
    if files.read(&format!("/sys/fs/cgroup{cgroup}/memory.oom.group")).is_some_and(|text| text.trim() == "1") {
        return OomPolicy::Kill;
    }
    // Scopes and units of a user manager have no files in these directories.
    if unit.ends_with(".scope") || units.next().is_some() {
        return OomPolicy::Unknown;
    }
    of_unit(files, unit).unwrap_or(OomPolicy::Unknown)
}

/// The path in the systemd hierarchy: `0::/path` in cgroup v2, `1:name=systemd:/path` in v1.
fn path(lines: &str) -> Option<String> {
    let of = |prefix: &str| {
        lines.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.strip_prefix(prefix).map(str::to_string)
        })
    };
    of("name=systemd:").or_else(|| of(":"))
}

/// The policy of a service by its unit files; `None` if there are none.
fn of_unit(files: &impl Files, unit: &str) -> Option<OomPolicy> {
    let mut names = vec![unit.to_string()];
    if let Some((template, _)) = unit.split_once('@') {
        names.push(format!("{template}@.service"));
    }
    let fragment = names
        .iter()
        .find_map(|name| UNIT_DIRECTORIES.iter().find_map(|directory| files.read(&format!("{directory}/{name}"))))?;
    let mut settings = Settings::default();
    settings.apply(&fragment, "[Service]");
    for text in drop_ins(files, &names) {
        settings.apply(&text, "[Service]");
    }
    if let Some(stated) = settings.policy {
        return OomPolicy::parse(&stated);
    }
    if settings.delegates {
        return Some(OomPolicy::Continue);
    }
    let mut manager = Settings::default();
    let texts = MANAGER_DIRECTORIES.iter().find_map(|directory| files.read(&format!("{directory}/system.conf")));
    let directories = MANAGER_DIRECTORIES.iter().map(|directory| format!("{directory}/system.conf.d"));
    for text in texts.into_iter().chain(in_order(files, directories)) {
        manager.apply(&text, "[Manager]");
    }
    manager.policy.map_or(Some(OomPolicy::Stop), |stated| OomPolicy::parse(&stated))
}

/// The contents of the drop-ins of a service, in the order in which they apply.
fn drop_ins(files: &impl Files, names: &[String]) -> Vec<String> {
    // Of files of the same name, that in the more specific directory applies, then that in the earlier directory.
    let mut directories: Vec<String> = names.to_vec();
    for name in names {
        let stem = name.trim_end_matches(".service");
        let dashes = stem.char_indices().filter(|(_, letter)| *letter == '-').map(|(at, _)| at).collect::<Vec<_>>();
        directories.extend(dashes.into_iter().rev().map(|at| format!("{}-.service", &stem[..at])));
    }
    directories.push("service".to_string());
    let all = directories
        .iter()
        .flat_map(|name| UNIT_DIRECTORIES.iter().map(move |directory| format!("{directory}/{name}.d")));
    in_order(files, all)
}

/// The contents of `.conf` files sorted by name; of files of the same name, that of the earlier directory.
fn in_order(files: &impl Files, directories: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = BTreeMap::new();
    for directory in directories {
        for name in files.list(&directory).into_iter().filter(|name| name.ends_with(".conf")) {
            let path = format!("{directory}/{name}");
            found.entry(name).or_insert(path);
        }
    }
    found.into_values().filter_map(|path| files.read(&path)).collect()
}

/// The effective settings of the files applied so far.
#[derive(Default)]
struct Settings {
    policy: Option<String>,
    delegates: bool,
}

impl Settings {
    /// Applies the lines of a section.
    fn apply(&mut self, text: &str, section: &str) {
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == section;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside) else { continue };
            let value = value.trim();
            match key.trim() {
                "OOMPolicy" | "DefaultOOMPolicy" => {
                    self.policy = Some(value.to_string()).filter(|value| !value.is_empty())
                }
                "Delegate" => self.delegates = !matches!(value, "" | "no" | "false" | "off" | "0" | "n" | "f"),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(BTreeMap<&'static str, &'static str>);

    impl Files for Tree {
        fn read(&self, path: &str) -> Option<String> {
            self.0.get(path).map(|text| (*text).to_string())
        }

        fn list(&self, directory: &str) -> Vec<String> {
            let inside = self.0.keys().filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
            inside.filter(|name| !name.contains('/')).map(str::to_string).collect()
        }
    }

    const CGROUP: (&str, &str) =
        ("/proc/self/cgroup", "0::/system.slice/system-postgresql.slice/postgresql@17-main.service\n");
    const UNIT: (&str, &str) =
        ("/usr/lib/systemd/system/postgresql@.service", "[Unit]\nOOMPolicy=kill\n[Service]\nOOMScoreAdjust=-900\n");

    fn with(files: &[(&'static str, &'static str)]) -> OomPolicy {
        policy(&Tree([CGROUP, UNIT].iter().chain(files).copied().collect()))
    }

    #[test]
    fn the_default_stops_the_service() {
        assert_eq!(with(&[]), OomPolicy::Stop);
        assert_eq!(with(&[("/etc/systemd/system.conf", "[Manager]\n#DefaultOOMPolicy=kill\n")]), OomPolicy::Stop);
        assert_eq!(with(&[("/etc/systemd/system.conf", "[Manager]\nDefaultOOMPolicy=continue")]), OomPolicy::Continue);
        let delegated = ("/etc/systemd/system/postgresql@17-main.service", "[Service]\nDelegate=yes\n");
        assert_eq!(with(&[delegated]), OomPolicy::Continue);
    }

    #[test]
    fn drop_ins_of_service_template_and_all_services_count_in_the_order_of_their_names() {
        let go_on = "[Service]\nOOMPolicy = continue\n";
        for path in [
            "/etc/systemd/system/postgresql@.service.d/socle.conf",
            "/etc/systemd/system/postgresql@17-main.service.d/socle.conf",
            "/etc/systemd/system/postgresql@17-.service.d/socle.conf",
            "/run/systemd/system/service.d/socle.conf",
        ] {
            assert_eq!(with(&[(path, go_on)]), OomPolicy::Continue, "{path}");
        }
        assert_eq!(with(&[("/etc/systemd/system/postgresql@.service.d/socle.txt", go_on)]), OomPolicy::Stop);
        assert_eq!(with(&[("/etc/systemd/system/other.service.d/socle.conf", go_on)]), OomPolicy::Stop);
        let last = ("/usr/lib/systemd/system/service.d/90.conf", "[Service]\nOOMPolicy=kill");
        let first = ("/etc/systemd/system/postgresql@.service.d/10.conf", go_on);
        assert_eq!(with(&[first, last]), OomPolicy::Kill);
        let hidden = ("/usr/lib/systemd/system/postgresql@.service.d/10.conf", "[Service]\nOOMPolicy=kill");
        assert_eq!(with(&[first, hidden]), OomPolicy::Continue);
        assert_eq!(
            with(&[first, ("/etc/systemd/system/postgresql@.service.d/20.conf", "[Service]\nOOMPolicy=")]),
            OomPolicy::Stop
        );
    }

    #[test]
    fn what_no_file_tells_is_unknown_and_no_service_is_none() {
        let alone = |cgroup| policy(&Tree([("/proc/self/cgroup", cgroup), UNIT].into()));
        assert_eq!(alone("0::/"), OomPolicy::None);
        assert_eq!(alone("0::/docker/0123\n"), OomPolicy::None);
        assert_eq!(policy(&Tree(BTreeMap::new())), OomPolicy::None);
        assert_eq!(alone("0::/system.slice/mysql.service"), OomPolicy::Unknown);
        assert_eq!(alone("0::/user.slice/user-1000.slice/session-2.scope"), OomPolicy::Unknown);
        assert_eq!(alone("0::/user.slice/user@1000.service/app.slice/postgresql@1.service"), OomPolicy::Unknown);
        let old = "12:memory:/elsewhere\n1:name=systemd:/system.slice/postgresql@9-main.service\n0::/\n";
        assert_eq!(alone(old), OomPolicy::Stop);
        let odd = ("/etc/systemd/system/postgresql@.service.d/a.conf", "[Service]\nOOMPolicy=perhaps");
        assert_eq!(with(&[odd]), OomPolicy::Unknown);
    }

    #[test]
    fn the_kernel_knows_of_groups_that_die_together() {
        let path = "/sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@17-main.service/memory.oom.group";
        assert_eq!(with(&[(path, "1\n")]), OomPolicy::Kill);
        assert_eq!(with(&[(path, "0\n")]), OomPolicy::Stop);
    }
}
