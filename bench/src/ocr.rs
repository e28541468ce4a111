//! Pictures of pages as text: socle through SQL, beside RapidOCR with the same graphs and Tesseract, on the same pages and
//! processors, one contender after the other. What `bench/ocr/pages.py` has made is read, or the pictures of SOCLE_PAGES.
//!
//! SOCLE_BENCH=ocr-memory has `thousand.pdf` of the same directory read instead, and shows the memory of the processes meanwhile.

use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time between two looks at the memory of the processes.
const INTERVAL: Duration = Duration::from_secs(5);

/// What each contender prints of itself.
#[derive(Debug, Deserialize)]
struct Use {
    pages: usize,
    seconds: f64,
    processor: f64,
    megabytes: u64,
}

pub fn measure(scripts: &Path) {
    let pages = PathBuf::from(std::env::var("SOCLE_PAGES").unwrap());
    let pictures = pictures(&pages);
    let out = std::env::temp_dir().join("socle-bench-ocr");
    fs::create_dir_all(&out).unwrap();
    let mut results = vec![("socle through SQL", "socle", socle(&pictures, &out.join("socle.jsonl")))];
    let mut run = |name, file: &'static str, processes| {
        let (script, out) = (scripts.join(format!("{file}_run.py")), out.join(format!("{file}.jsonl")));
        results.push((name, file, script_use(&script, &pictures, &out, processes)));
    };
    run("RapidOCR", "rapidocr", super::processors());
    if Command::new("tesseract").arg("--version").output().is_ok() {
        // One process starts as many of Tesseract as there are processors.
        run("Tesseract", "tesseract", 1);
    } else {
        println!(
            "Tesseract is left out: it is not installed (Debian: tesseract-ocr, tesseract-ocr-fra, -deu, -spa, -ita, -pol, -ces)"
        );
    }
    println!("\n### Pages as pictures, {} of them\n", pictures.len());
    println!("| contender | pages/s | seconds of a processor for a page | MB at most |\n|---|---|---|---|");
    for (name, _, used) in &results {
        let pages = used.pages as f64;
        println!("| {name} | {:.2} | {:.2} | {} |", pages / used.seconds, used.processor / pages, used.megabytes);
    }
    println!("\nCharacters right / words in order, in per cent:\n");
    let files = results.iter().map(|(_, file, _)| out.join(format!("{file}.jsonl")));
    let texts = pages.join("text");
    let score = Command::new("python3").arg(scripts.join("score.py")).arg(texts).args(files).status().unwrap();
    assert!(score.success());
}

/// The pictures of all variants, in an order that is the same each time.
fn pictures(pages: &Path) -> Vec<PathBuf> {
    let entries = |directory: &Path| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let variants = entries(pages).filter(|path| path.is_dir());
    let files = variants.flat_map(|variant| entries(&variant).collect::<Vec<_>>());
    let mut pictures: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "png")).collect();
    pictures.sort();
    pictures
}

/// A session for each processor reads the next picture, until there is none.
fn socle(pictures: &[PathBuf], out: &Path) -> Use {
    let server = Server::connect();
    // Pages of another run are kept, and a picture that was read once is not recognised again.
    server.forget_pages();
    let next = Mutex::new(pictures.iter());
    let lines = Mutex::new(fs::File::create(out).unwrap());
    let (before, begun) = (server.processor_seconds(), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..super::processors() {
            scope.spawn(|| {
                let mut client = crate::connect();
                client.batch_execute("SET socle.ocr_model = 'ocr'; SET client_min_messages = warning").unwrap();
                loop {
                    let Some(path) = next.lock().unwrap().next() else { return };
                    let bytes = fs::read(path).unwrap();
                    let text: String = client.query_one("SELECT socle.extract_text($1)", &[&bytes]).unwrap().get(0);
                    writeln!(lines.lock().unwrap(), "{}", json!({ "page": path, "text": text })).unwrap();
                }
            });
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let processor = server.processor_seconds() - before;
    Use { pages: pictures.len(), seconds, processor, megabytes: server.most_memory() >> 10 }
}

/// The contender of a script, with the pictures shared out among so many processes.
fn script_use(script: &Path, pictures: &[PathBuf], out: &Path, processes: usize) -> Use {
    let begun = Instant::now();
    let parts: Vec<Vec<&PathBuf>> =
        (0..processes).map(|at| pictures.iter().skip(at).step_by(processes).collect()).collect();
    let run = |part: Vec<&PathBuf>| {
        let mut command = Command::new("python3");
        // What RapidOCR is best and fastest with here: its direction graph turns lines over that stand upright.
        let settings = json!({ "EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.use_cls": false });
        command.env("SETTINGS", settings.to_string());
        command.arg(script).args(part).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = parts.into_iter().map(run).collect();
    let waits: Vec<_> =
        children.into_iter().map(|child| std::thread::spawn(move || child.wait_with_output().unwrap())).collect();
    let outputs: Vec<_> = waits.into_iter().map(|wait| wait.join().unwrap()).collect();
    fs::write(out, outputs.iter().flat_map(|output| output.stdout.clone()).collect::<Vec<u8>>()).unwrap();
    let mut all = Use { pages: 0, seconds: 0.0, processor: 0.0, megabytes: 0 };
    for output in &outputs {
        let said = String::from_utf8_lossy(&output.stderr);
        let used: Use = serde_json::from_str(said.lines().last().unwrap_or_default())
            .inspect_err(|error| println!("{}: {error}: {said}", script.display()))
            .unwrap();
        all.pages += used.pages;
        all.processor += used.processor;
        all.megabytes += used.megabytes;
        // Without the time to load the graphs, which is not counted for socle either.
        all.seconds = all.seconds.max(used.seconds);
    }
    assert!(all.seconds <= begun.elapsed().as_secs_f64());
    all
}

/// A PDF of many pages, and the memory of engine and readers meanwhile.
pub fn measure_memory() {
    let file = PathBuf::from(std::env::var("SOCLE_PAGES").unwrap()).join("thousand.pdf");
    let server = Server::connect();
    server.forget_pages();
    let bytes = fs::read(&file).unwrap();
    println!("\n### Memory while a PDF of 1,000 pictures is read ({} MB)\n", bytes.len() >> 20);
    println!("| seconds | engine, MB | its readers, MB |\n|---|---|---|");
    let reading = std::thread::spawn(move || {
        let mut client = crate::connect();
        client.batch_execute("SET socle.ocr_model = 'ocr'; SET socle.extract_timeout = '1h'").unwrap();
        let sql = "SELECT (m->>'pages_recognized')::int, (m->>'recognition_confidence')::float8 \
                   FROM socle.document_metadata($1) m";
        let row = client.query_one(sql, &[&bytes]).unwrap();
        (row.get::<_, i32>(0), row.get::<_, f64>(1))
    });
    let begun = Instant::now();
    let mut shown = 0.0;
    while !reading.is_finished() {
        std::thread::sleep(INTERVAL);
        let seconds = begun.elapsed().as_secs_f64();
        // Every tenth more than the one before, so that the table stays short.
        if seconds >= shown * 1.2 {
            shown = seconds;
            println!(
                "| {seconds:.0} | {} | {} |",
                server.memory(Part::Engine) >> 10,
                server.memory(Part::Readers) >> 10
            );
        }
    }
    let (pages, confidence) = reading.join().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    println!("\n{pages} pages in {seconds:.0} s, mean confidence {confidence:.3}");
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Engine,
    Readers,
}

/// The processes of the server, as the kernel shows them.
struct Server {
    data: PathBuf,
    postmaster: u32,
}

/// What /proc says of a process.
struct Process {
    id: u32,
    parent: u32,
    name: String,
    /// Ticks that it and those of its children that have ended have had.
    ticks: u64,
}

impl Server {
    fn connect() -> Self {
        let mut client = crate::connect();
        let known = "SELECT count(*) FROM socle.model WHERE name = 'ocr'";
        if client.query_one(known, &[]).unwrap().get::<_, i64>(0) == 0 {
            client.execute("SELECT socle.register_model('ocr', 'pp-ocrv6-small')", &[]).unwrap();
        }
        let data: String = client.query_one("SHOW data_directory", &[]).unwrap().get(0);
        let lock = fs::read_to_string(Path::new(&data).join("postmaster.pid")).unwrap();
        Self { postmaster: lock.lines().next().unwrap().parse().unwrap(), data: data.into() }
    }

    fn forget_pages(&self) {
        let mut directories = vec![self.data.join("socle/pgsql_tmp")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else if entry.file_name().to_string_lossy().starts_with("page-") {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
    }

    /// All processes below the postmaster.
    fn processes(&self) -> Vec<Process> {
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let all: Vec<_> = entries.filter_map(|entry| process(&entry.file_name().to_string_lossy())).collect();
        let mut own = vec![self.postmaster];
        let mut at = 0;
        while let Some(parent) = own.get(at).copied() {
            own.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.id));
            at += 1;
        }
        all.into_iter().filter(|process| own.contains(&process.id)).collect()
    }

    fn processor_seconds(&self) -> f64 {
        // Linux counts hundredths of a second here.
        self.processes().iter().map(|process| process.ticks).sum::<u64>() as f64 / 100.0
    }

    /// Kilobytes that the engine, or the processes that read documents, have in memory.
    fn memory(&self, part: Part) -> u64 {
        let name = match part {
            Part::Engine => "socle-engine",
            Part::Readers => "socle reader",
        };
        let processes = self.processes();
        processes.iter().filter(|process| process.name == name).map(|process| kilobytes(process.id, "VmRSS:")).sum()
    }

    /// The most that the engine has had, in kilobytes.
    fn most_memory(&self) -> u64 {
        let processes = self.processes();
        let engines = processes.iter().filter(|process| process.name == "socle-engine");
        engines.map(|engine| kilobytes(engine.id, "VmHWM:")).max().unwrap_or(0)
    }
}

fn process(id: &str) -> Option<Process> {
    let id: u32 = id.parse().ok()?;
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Process { id, parent: fields.get(1)?.parse().ok()?, name: before.split_once('(')?.1.to_string(), ticks })
}

fn kilobytes(id: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let found = status.lines().find_map(|read| read.strip_prefix(line));
    found.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
