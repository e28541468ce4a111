//! Throw-away clusters: copied from a template, run by an unprivileged user, removed with the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod process;

use postgres::{Client, Config, NoTls};
pub use process::{is_running, limit_memory, signal};
use process::{parent, processes};
use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

/// Longest wait in any of these tests: far more than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Cluster {
    directory: PathBuf,
}

/// Names that [`Cluster::with_models`] registers models under, and the directories of these models.
pub const MODELS: [(&str, &str); 5] = [
    ("minilm", "all-minilm-l6-v2"),
    ("bge", "bge-small-en-v1.5"),
    ("reranker", "ms-marco-minilm-l12-v2"),
    ("colbert", "answerai-colbert-small-v1"),
    ("multilingual", "use-multilingual-v3"),
];

fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("run the tests with \"make test\", which sets {name}"))
}

fn pg_config(what: &str) -> PathBuf {
    let output = Command::new(environment("SOCLE_PG_CONFIG")).arg(what).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

pub fn bin(program: &str) -> PathBuf {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| pg_config("--bindir")).join(program)
}

/// `pkglibdir/socle` of the server under test.
pub fn engine_directory() -> PathBuf {
    pg_config("--pkglibdir").join("socle")
}

pub fn model_directory() -> PathBuf {
    pg_config("--sharedir").join("socle/models")
}

/// User and group that servers run as, where the tests run as root.
fn runner() -> Option<(u32, u32)> {
    // SAFETY: plain system call.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let number = |flag: &str| {
        let output = Command::new("id").args([flag, &environment("SOCLE_RUNNER")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    Some((number("-u"), number("-g")))
}

/// A command that runs as the user that servers run as.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    // RUST_BACKTRACE would put a backtrace into the detail of every error.
    command.current_dir("/").env("LC_ALL", "C").env_remove("RUST_BACKTRACE");
    if let Some((user, group)) = runner() {
        command.uid(user).gid(group);
    }
    command
}

pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A copy of the server under test, for tests that damage it. Removed with the test.
pub struct ServerCopy {
    directory: PathBuf,
    /// Its `postgres`, for [`Cluster::start_on`].
    pub postgres: PathBuf,
    /// The engine that it runs.
    pub engine: PathBuf,
    /// The library that it loads.
    pub library: PathBuf,
    /// Directory of its extensions.
    pub extensions: PathBuf,
}

impl ServerCopy {
    /// `None`, with a line that says so, where the server is not one from set-up: the files that belong to it alone are
    /// not known then.
    pub fn new() -> Option<Self> {
        let bin = pg_config("--bindir");
        let of_setup =
            |path: &&Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgres-"));
        let Some(original) = bin.ancestors().find(of_setup) else {
            // Written to stderr directly, as the output of tests that pass is captured.
            let reason = "is no server of set-up, so it cannot be copied and damaged";
            let _ = writeln!(std::io::stderr(), "SKIPPED: {} {reason}", bin.display());
            return None;
        };
        let directory = scratch("server").canonicalize().unwrap();
        let tree = directory.join("tree");
        copy(original, &tree);
        let there = |path: PathBuf| tree.join(path.strip_prefix(original).unwrap());
        let (postgres, engine) = (there(bin.join("postgres")), there(engine_directory().join("socle-engine")));
        let extensions = there(pg_config("--sharedir").join("extension"));
        let library = there(pg_config("--pkglibdir").join("socle.so"));
        Some(Self { directory, postgres, engine, library, extensions })
    }
}

impl Drop for ServerCopy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn make_directory(path: &Path) {
    fs::create_dir_all(path).unwrap();
    if let Some((user, group)) = runner() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Short: the path of a socket has at most 107 bytes.
    let name = format!("socle-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    make_directory(&path);
    path
}

static EMPTY: OnceLock<PathBuf> = OnceLock::new();
static WITH_MODELS: OnceLock<PathBuf> = OnceLock::new();

/// The data directory of a cluster as `initdb` leaves it, made once for all tests of this process.
fn empty_template() -> &'static Path {
    EMPTY.get_or_init(|| {
        remove_templates_at_exit();
        let path = scratch("empty").join("data");
        run(command(bin("initdb")).arg(format!("--pgdata={}", path.display())).args([
            "--username=postgres",
            "--auth=trust",
            "--no-locale",
            "--encoding=UTF8",
            "--no-sync",
        ]));
        path
    })
}

/// The same with the extension and all models.
fn template_with_models() -> &'static Path {
    WITH_MODELS.get_or_init(|| {
        let cluster = Cluster::new("");
        cluster.start();
        let mut client = cluster.connect();
        client.batch_execute("CREATE EXTENSION socle CASCADE").unwrap();
        for (name, directory) in MODELS {
            client.execute("SELECT socle.register_model($1, $2)", &[&name, &directory]).unwrap();
        }
        drop(client);
        cluster.stop("fast");
        let path = scratch("models").join("data");
        copy(&cluster.data(), &path);
        path
    })
}

fn remove_templates_at_exit() {
    extern "C" fn remove() {
        for template in [&EMPTY, &WITH_MODELS] {
            if let Some(directory) = template.get().and_then(|data| data.parent()) {
                let _ = fs::remove_dir_all(directory);
            }
        }
    }
    // SAFETY: the function neither unwinds nor uses anything that is torn down before it runs.
    unsafe { libc::atexit(remove) };
}

fn copy(from: &Path, to: &Path) {
    run(command("cp").arg("-a").arg(from).arg(to));
}

impl Cluster {
    /// A stopped cluster with these lines of configuration.
    pub fn new(configuration: &str) -> Self {
        Self::copy_of(empty_template(), configuration)
    }

    fn copy_of(template: &Path, configuration: &str) -> Self {
        let cluster = Self { directory: scratch("cluster") };
        copy(template, &cluster.data());
        cluster.configure(configuration);
        cluster
    }

    /// A running cluster with the extension and all models.
    pub fn with_models(configuration: &str) -> Self {
        let cluster = Self::copy_of(template_with_models(), configuration);
        cluster.start();
        cluster
    }

    /// A copy of a running cluster, configured as its standby.
    pub fn standby_of(primary: &Self) -> Self {
        let cluster = Self { directory: scratch("standby") };
        run(command(bin("pg_basebackup"))
            .args(["--checkpoint=fast", "--write-recovery-conf", "--username=postgres"])
            .arg(format!("--host={}", primary.directory.display()))
            .arg(format!("--pgdata={}", cluster.data().display())));
        cluster.configure("");
        cluster
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds lines to the configuration. Those of the harness are added with every call; of several for a setting the
    /// last one counts.
    pub fn configure(&self, configuration: &str) {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).unwrap();
        text += &format!(
            "\nlisten_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nlog_line_prefix = '%m [%p] %b '\n\
             max_connections = 60\nmax_worker_processes = 8\nrestart_after_crash = on\n{configuration}\n",
            self.directory.display()
        );
        fs::write(path, text).unwrap();
    }

    fn pg_ctl(&self) -> Command {
        let mut command = command(bin("pg_ctl"));
        command.arg(format!("--pgdata={}", self.data().display())).args(["--silent", "--wait", "--timeout=60"]);
        command
    }

    pub fn start(&self) {
        self.start_on(&bin("postgres"));
    }

    /// Starts it with another `postgres` binary.
    pub fn start_on(&self, postgres: &Path) {
        static ADOPT: Once = Once::new();
        // Servers are orphans of pg_ctl. Adopted by this process, a dead one can be waited for: until then its pid is
        // in use, and Postgres refuses to start in its place.
        // SAFETY: plain system call.
        ADOPT.call_once(|| assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }, 0));
        let log = format!("--log={}", self.log_file().display());
        let status = self.pg_ctl().arg(log).arg("-p").arg(postgres).arg("start").status().unwrap();
        assert!(status.success(), "the server does not start: {}", self.log());
    }

    pub fn stop(&self, mode: &str) {
        run(self.pg_ctl().arg(format!("--mode={mode}")).arg("stop"));
    }

    /// Kills the postmaster, and waits until no process that it has left holds the shared memory: before that Postgres
    /// refuses to start again.
    pub fn kill_postmaster(&self) {
        let pid = self.postmaster_pid().cast_signed();
        // `LOCK_FILE_LINE_SHMEM_KEY` of miscadmin.h: key and identifier.
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let shared_memory = file.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        // SAFETY: plain system calls on a child of this process, by adoption.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
        }
        eventually("its shared memory is let go", || process::nobody_holds(shared_memory).then_some(()));
    }

    pub fn reload(&self) {
        run(self.pg_ctl().arg("reload"));
    }

    pub fn promote(&self) {
        run(self.pg_ctl().arg("promote"));
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub fn configuration(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.directory).user("postgres").dbname("postgres").application_name("test");
        config
    }

    pub fn connect(&self) -> Client {
        self.try_connect().unwrap()
    }

    pub fn try_connect(&self) -> Result<Client, postgres::Error> {
        self.configuration().connect(NoTls)
    }

    pub fn connect_to(&self, database: &str) -> Client {
        self.configuration().dbname(database).connect(NoTls).unwrap()
    }

    /// A connection, and a channel with its notices.
    pub fn connect_and_listen(&self) -> (Client, Receiver<String>) {
        let (notices, heard) = std::sync::mpsc::channel();
        let mut configuration = self.configuration();
        configuration.notice_callback(move |notice| drop(notices.send(notice.message().to_string())));
        (configuration.connect(NoTls).unwrap(), heard)
    }

    /// Waits until the server accepts connections again.
    pub fn wait_for_connection(&self) -> Client {
        eventually("the server takes connections", || self.try_connect().ok())
    }

    pub fn postmaster_pid(&self) -> u32 {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }

    /// The engine of this cluster: the process that was started with this data directory as its argument, and none of
    /// those that it has forked to read documents, which have other names.
    pub fn engine_pid(&self) -> Option<u32> {
        self.child_pid("socle-engine")
    }

    pub fn generator_pid(&self) -> Option<u32> {
        self.child_pid("socle-generator")
    }

    pub fn child_pid(&self, name: &str) -> Option<u32> {
        let is = |pid: &u32, file: &str, wanted: String| {
            fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|content| content == wanted.as_bytes())
        };
        let arguments = || format!("{name}\0{}\0", self.data().display());
        processes().find(|pid| is(pid, "cmdline", arguments()) && is(pid, "comm", format!("{name}\n")))
    }

    pub fn supervisor_pid(&self) -> Option<u32> {
        let postmaster = self.postmaster_pid();
        processes().find(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("socle supervisor") && parent(*pid) == Some(postmaster)
        })
    }

    pub fn wait_for_engine(&self) -> u32 {
        eventually("there is an engine", || self.engine_pid())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln_all(tail.into_iter().rev());
        }
        let running = self.data().join("postmaster.pid").exists();
        let supervisor = running.then(|| self.supervisor_pid()).flatten();
        for stopped in [self.engine_pid(), self.generator_pid(), supervisor].into_iter().flatten() {
            signal(stopped, libc::SIGCONT);
        }
        let _ = self.pg_ctl().arg("--mode=immediate").arg("stop").output();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[allow(clippy::print_stderr, reason = "the end of the server log explains a failed test")]
fn eprintln_all<'a>(lines: impl Iterator<Item = &'a str>) {
    lines.for_each(|line| eprintln!("{line}"));
}

/// Tries again until there is a result, for [`PATIENCE`] at most.
pub fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, attempt)
}

/// Like [`eventually`], with another limit.
pub fn eventually_within<T>(patience: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(begun.elapsed() < patience, "it never came that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Raises a flag when it goes out of scope, so that threads that wait for it end even when the test fails.
pub struct Raise<'a>(pub &'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// SQLSTATE, message, detail and hint of an error.
pub fn error_of(error: &postgres::Error) -> (String, String, String, String) {
    let error = error.as_db_error().unwrap_or_else(|| panic!("not an error of the server: {error:?}"));
    let text = |text: Option<&str>| text.unwrap_or_default().to_string();
    (error.code().code().to_string(), error.message().to_string(), text(error.detail()), text(error.hint()))
}
