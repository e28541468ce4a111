//! Generated text: the generator through its socket beside a bare loop over the same libraries of llama.cpp, in turns, with
//! the same file, prompt and number of threads; and four sessions beside one, for both. SOCLE_BENCH_MODEL is another file.

use serde::de::DeserializeOwned;
use socle_core::generator::{Constraint, GeneratorOverrides, GeneratorSpec, Message, MessageRole};
use socle_core::protocol::{
    FrameBuffer, FromEngine, GENERATOR_PROTOCOL_VERSION, GENERATOR_SOCKET, GeneratorRequest, GeneratorResponse,
    GeneratorSettings, MAX_GENERATOR_FRAME, RUNTIME_DIRECTORY, ToGenerator, VERSION, VERSION_VARIABLE, encode,
};
use socle_generator::llama::context::{Context, ContextSize, Input};
use socle_generator::llama::library;
use socle_generator::llama::model::Model;
use socle_generator::prompt;
use socle_generator::template::Template;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Instant;

const MODEL: &str = "smollm2-135m-instruct/model.gguf";

/// Rounds of each contender.
const ROUNDS: usize = 3;

/// Tokens of each answer.
const ANSWER: u32 = 64;

/// Tokens of a run of the bare loop, which is what llama.cpp takes unless it is told otherwise.
const BARE_BATCH: u32 = 512;

/// Seconds to the first token, and seconds for the others: of the clock, and of the processor.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    first: (f64, f64),
    rest: (f64, f64),
}

/// What is asked in the measurement of sessions.
const QUESTION: &str = "Write a long story of a cat.";

/// With half of the processors, as by default, and with all.
pub fn measure(models: &Path) {
    let file = std::env::var("SOCLE_BENCH_MODEL").unwrap_or_else(|_| MODEL.into());
    let all = super::processors() as u32;
    let half = (all / 2).max(1);
    measure_with(models, &file, half);
    if all > half {
        measure_with(models, &file, all);
    }
}

fn measure_with(models: &Path, file: &str, threads: u32) {
    let mut generator = Generator::start(models, threads);
    let mut client = generator.connect();
    let spec = client.inspect(file);
    let text = "A sentence of some length about nothing in particular. ".repeat(70) + QUESTION;
    let mut bare = Bare::new(&models.join(file), &text, threads);
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let ours = client.ask(&generator.process, &spec, &text);
        let theirs = bare.run();
        // The first round warms up.
        rounds.extend((round > 0).then_some((ours, theirs)));
    }
    println!(
        "\n| {file}: {} tokens of prompt, {ANSWER} of answer, threads: {threads} | first token | tokens/s | ratio by the clock | ratio by processor time |",
        bare.tokens.len()
    );
    println!("|---|---|---|---|---|");
    let column = |of: &dyn Fn(&(Times, Times)) -> f64| median(rounds.iter().map(of).collect());
    let rest = f64::from(ANSWER - 1);
    println!(
        "| `socle-generator` through its socket | {:.0} ms | {:.1} | {:.2} first, {:.2} others | {:.2} first, {:.2} others |",
        column(&|(ours, _)| ours.first.0) * 1000.0,
        column(&|(ours, _)| rest / ours.rest.0),
        column(&|(ours, bare)| bare.first.0 / ours.first.0),
        column(&|(ours, bare)| bare.rest.0 / ours.rest.0),
        column(&|(ours, bare)| bare.first.1 / ours.first.1),
        column(&|(ours, bare)| bare.rest.1 / ours.rest.1),
    );
    println!(
        "| bare loop over the same libraries | {:.0} ms | {:.1} | 1 | 1 |",
        column(&|(_, bare)| bare.first.0) * 1000.0,
        column(&|(_, bare)| rest / bare.rest.0),
    );
    sessions(&mut generator, &spec, &mut bare);
}

/// Tokens by the second of time, and of processor time.
type Rates = (f64, f64);

/// Tokens per second of one session and of four at once, and of one and four sequences of the bare loop, in turns.
fn sessions(generator: &mut Generator, spec: &GeneratorSpec, bare: &mut Bare) {
    let mut rounds: Vec<[Rates; 4]> = Vec::new();
    for round in 0..=ROUNDS {
        let [one, four] = [1, 4].map(|count| {
            let mut clients: Vec<Client> = (0..count).map(|_| generator.connect()).collect();
            let (begun, used) = (Instant::now(), processor_seconds(generator.process.id()));
            clients.iter_mut().for_each(|client| client.send(spec, QUESTION));
            let tokens: u32 = clients.iter_mut().map(Client::finish).sum();
            let used = processor_seconds(generator.process.id()) - used;
            (f64::from(tokens) / begun.elapsed().as_secs_f64(), f64::from(tokens) / used)
        });
        rounds.extend((round > 0).then(|| [one, four, bare.run_sequences(1), bare.run_sequences(4)]));
    }
    let column = |of: &dyn Fn(&[Rates; 4]) -> f64| median(rounds.iter().map(of).collect());
    println!(
        "\n| contender | at once | tokens/s together | ratio to one, by the clock | ratio to one, by processor time |"
    );
    println!("|---|---|---|---|---|");
    for (number, name, count) in
        [(0, "`socle-generator`", 1), (1, "`socle-generator`", 4), (2, "bare loop", 1), (3, "bare loop", 4)]
    {
        println!(
            "| {name} | {count} | {:.1} | {:.2} | {:.2} |",
            column(&|rates| rates[number].0),
            column(&|rates| rates[number].0 / rates[number / 2 * 2].0),
            column(&|rates| rates[number].1 / rates[number / 2 * 2].1)
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Processor time of a process in seconds (`proc_pid_stat(5)`, in hundredths).
fn processor_seconds(pid: u32) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    // Nanoseconds of each thread that has not ended (`/proc/PID/task/TID/schedstat`).
    let of = |path: std::path::PathBuf| std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
    let nanoseconds = |text: String| text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
    tasks.map(|task| nanoseconds(of(task.path()))).sum::<f64>() / 1e9
}

/// llama.cpp as one would write a loop around it.
struct Bare {
    context: Context,
    tokens: Vec<i32>,
    question: Vec<i32>,
}

impl Bare {
    fn new(file: &Path, text: &str, threads: u32) -> Self {
        // At the priority that the generator computes with.
        socle_child::process::lower_priority_of_thread();
        let functions = library::load(Path::new(&std::env::var("SOCLE_LLAMA").unwrap())).unwrap();
        let model = Arc::new(Model::load(functions, File::open(file).unwrap().as_fd(), false, &|| true).unwrap());
        let tokens = |content| {
            let message = Message { role: MessageRole::User, content };
            prompt::tokens(&*model, &Template::ChatMl.write(&[message])).tokens
        };
        let size = ContextSize { tokens: 8192, sequences: 4, batch: BARE_BATCH, threads };
        let context = Context::new(&model, size, Box::new(|| false)).unwrap();
        Self { context, tokens: tokens(text), question: tokens(QUESTION) }
    }

    /// Answers the same question in several sequences at once.
    fn run_sequences(&mut self, count: usize) -> Rates {
        for sequence in 0..count {
            self.context.remove(sequence, 0);
        }
        let own = std::process::id();
        let (begun, used) = (Instant::now(), processor_seconds(own));
        let last = self.question.len() - 1;
        let input = |sequence, (position, token): (usize, &i32)| Input {
            sequence,
            position,
            token: *token,
            output: position == last,
        };
        let prompts: Vec<Input> =
            (0..count).flat_map(|at| self.question.iter().enumerate().map(move |one| input(at, one))).collect();
        self.context.run(&prompts).unwrap();
        let mut next: Vec<i32> = (0..count).map(|at| self.best((at + 1) * self.question.len() - 1)).collect();
        for step in 0..ANSWER as usize - 1 {
            let position = self.question.len() + step;
            let input = |(sequence, token): (usize, &i32)| Input { sequence, position, token: *token, output: true };
            let inputs: Vec<Input> = next.iter().enumerate().map(input).collect();
            self.context.run(&inputs).unwrap();
            next = (0..count).map(|at| self.best(at)).collect();
        }
        let tokens = f64::from(ANSWER) * count as f64;
        (tokens / begun.elapsed().as_secs_f64(), tokens / (processor_seconds(own) - used))
    }

    fn run(&mut self) -> Times {
        let own = std::process::id();
        self.context.remove(0, 0);
        let (begun, used) = (Instant::now(), processor_seconds(own));
        let last = self.tokens.len() - 1;
        let inputs: Vec<Input> = self
            .tokens
            .iter()
            .enumerate()
            .map(|(position, token)| Input { sequence: 0, position, token: *token, output: position == last })
            .collect();
        let mut index = 0;
        for part in inputs.chunks(BARE_BATCH as usize) {
            self.context.run(part).unwrap();
            index = part.len() - 1;
        }
        let mut token = self.best(index);
        let first = (begun.elapsed().as_secs_f64(), processor_seconds(own) - used);
        for step in 0..ANSWER as usize - 1 {
            let input = Input { sequence: 0, position: self.tokens.len() + step, token, output: true };
            self.context.run(&[input]).unwrap();
            token = self.best(0);
        }
        let all = (begun.elapsed().as_secs_f64(), processor_seconds(own) - used);
        Times { first, rest: (all.0 - first.0, all.1 - first.1) }
    }

    fn best(&mut self, index: usize) -> i32 {
        let logits = self.context.logits(index);
        (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap() as i32
    }
}

/// The generator, whose supervisor is this program.
struct Generator {
    process: Child,
    directory: std::path::PathBuf,
    _control: UnixStream,
}

impl Generator {
    fn start(models: &Path, threads: u32) -> Self {
        let directory = std::env::temp_dir().join(format!("socle-bench-{}", std::process::id()));
        std::fs::create_dir_all(directory.join(RUNTIME_DIRECTORY)).unwrap();
        let (mut control, theirs) = UnixStream::pair().unwrap();
        let process = Command::new(std::env::current_exe().unwrap().with_file_name("socle-generator"))
            .current_dir(&directory)
            .env_clear()
            .env(VERSION_VARIABLE, VERSION)
            .stdin(OwnedFd::from(theirs))
            .spawn()
            .unwrap();
        let settings = GeneratorSettings {
            supervisor_pid: std::process::id(),
            postmaster_pid: std::process::id(),
            restart_count: 0,
            threads,
            memory_limit_bytes: 4 << 30,
            model_directory: models.to_string_lossy().into_owned(),
            library_directory: std::env::var("SOCLE_LLAMA").unwrap(),
            idle_timeout_seconds: 0,
        };
        control.write_all(&encode(0, 0, &ToGenerator::Start(settings)).unwrap()).unwrap();
        let mut buffer = FrameBuffer::default();
        while read::<FromEngine>(&mut control, &mut buffer) != FromEngine::Ready {}
        Self { process, directory, _control: control }
    }

    fn connect(&self) -> Client {
        let socket = self.directory.join(RUNTIME_DIRECTORY).join(GENERATOR_SOCKET);
        let mut client = Client { stream: UnixStream::connect(socket).unwrap(), incoming: FrameBuffer::default() };
        client.tell(&GeneratorRequest::Hello { protocol: GENERATOR_PROTOCOL_VERSION });
        client.next();
        client
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

struct Client {
    stream: UnixStream,
    incoming: FrameBuffer,
}

impl Client {
    fn tell(&mut self, request: &GeneratorRequest<'_>) {
        self.stream.write_all(&encode(1, 0, request).unwrap()).unwrap();
    }

    /// The next response but keep-alives.
    fn next(&mut self) -> GeneratorResponse {
        loop {
            let response = read(&mut self.stream, &mut self.incoming);
            if response != GeneratorResponse::Alive {
                return response;
            }
        }
    }

    fn inspect(&mut self, file: &str) -> GeneratorSpec {
        let overrides = GeneratorOverrides::default();
        self.tell(&GeneratorRequest::Inspect { name: "measured", file, overrides });
        match self.next() {
            GeneratorResponse::Inspected(inspection) => inspection.spec,
            other => unreachable!("{other:?}"),
        }
    }

    fn send(&mut self, generator: &GeneratorSpec, text: &str) {
        self.tell(&GeneratorRequest::Generate {
            generator: generator.clone(),
            messages: vec![Message { role: MessageRole::User, content: text }],
            max_tokens: ANSWER,
            temperature: 0.0,
            seed: None,
            stop: vec![],
            constraint: Constraint::None,
        });
    }

    fn ask(&mut self, process: &Child, generator: &GeneratorSpec, text: &str) -> Times {
        let (begun, used) = (Instant::now(), processor_seconds(process.id()));
        self.send(generator, text);
        assert!(matches!(self.next(), GeneratorResponse::Text(_)));
        let first = (begun.elapsed().as_secs_f64(), processor_seconds(process.id()) - used);
        assert_eq!(self.finish(), ANSWER, "an answer of another length");
        let all = (begun.elapsed().as_secs_f64(), processor_seconds(process.id()) - used);
        Times { first, rest: (all.0 - first.0, all.1 - first.1) }
    }

    /// Reads the rest of an answer and returns its number of tokens.
    fn finish(&mut self) -> u32 {
        loop {
            match self.next() {
                GeneratorResponse::Text(_) => {}
                GeneratorResponse::Generated { answer_tokens, .. } => return answer_tokens,
                other => unreachable!("{other:?}"),
            }
        }
    }
}

fn read<T: DeserializeOwned>(stream: &mut UnixStream, buffer: &mut FrameBuffer) -> T {
    loop {
        if let Some(frame) = buffer.next_frame(MAX_GENERATOR_FRAME).unwrap() {
            return frame.message().unwrap();
        }
        let mut bytes = [0; 65536];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the generator has ended");
        buffer.extend(&bytes[..count]);
    }
}
