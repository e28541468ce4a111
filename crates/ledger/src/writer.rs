//! The one who writes: appends entries, so that they are on disk when [`Ledger::append`] returns, cuts the chain into segments,
//! and removes old ones.

use crate::checkpoint::Checkpoint;
use crate::entry::{Draft, Stamp};
use crate::fault::Fault;
use crate::hash::hexadecimal;
use crate::place::{self, Place};
use crate::read::{self, Chain, first_entry, last_entry};
use crate::recovery::{self, Torn};
use crate::segment::{self, State};
use serde_json::{Map, Value};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A ledger that is open for writing. There must be one at a time; its process holds a lock.
#[derive(Debug)]
pub struct Ledger {
    root: PathBuf,
    directory: PathBuf,
    origin: String,
    segment_bytes: u64,
    file: File,
    path: PathBuf,
    /// Bytes of the last segment that are known to be on disk.
    bytes: u64,
    state: State,
    /// Why nothing can be written any more by this process.
    broken: Option<Fault>,
}

/// What was pruned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pruned {
    /// Number of segments that were removed.
    pub segments: u64,
    /// Number of entries that were in them.
    pub entries: u64,
}

impl Ledger {
    /// Opens the ledger in this directory, which is made if it is not there. Goes on with the chain that was written in this
    /// place, or begins one that names the chain before it.
    ///
    /// # Errors
    /// Damage, and those of the file system.
    pub fn open(root: &Path, place: &Place, segment_bytes: u64) -> Result<Self, Fault> {
        place::make(root)?;
        match place::origin(root, place) {
            Some(origin) => Self::go_on(root, origin, segment_bytes),
            None => Self::begin(root, place, segment_bytes),
        }
    }

    fn go_on(root: &Path, origin: String, segment_bytes: u64) -> Result<Self, Fault> {
        let directory = root.join(&origin);
        let recovery::Opened { file, path, bytes, state, torn } = recovery::open(&directory)?;
        let root = root.to_path_buf();
        let mut ledger = Self { root, directory, origin, segment_bytes, file, path, bytes, state, broken: None };
        if let Some(Torn { bytes, hash }) = torn {
            ledger.append_one(&Draft::new("torn").with("bytes", bytes).with("sha256", hash.to_string()))?;
        }
        Ok(ledger)
    }

    fn begin(root: &Path, place: &Place, segment_bytes: u64) -> Result<Self, Fault> {
        let origin = hexadecimal(&random()?);
        let mut first = Draft::new(segment::CHAIN)
            .with("format", 1)
            .with("origin", origin.as_str())
            .with("place", Value::Object(place.fields()));
        let others = read::chains(root)?;
        let before = place::last_origin(root).and_then(|last| others.iter().find(|chain| chain.origin == last));
        let continues = match before {
            Some(chain) => Value::Object(end_of(chain)),
            None => Value::Null,
        };
        // Where nothing says which was the last one.
        if continues.is_null() && !others.is_empty() {
            first = first.with("found", others.iter().map(|chain| chain.origin.as_str()).collect::<Vec<_>>());
        }
        let directory = root.join(&origin);
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|error| Fault::of_file("make", &directory, &error))?;
        let written = Self::new_segment(&directory, &State::default(), &first.with("continues", continues));
        let written = written.and_then(|written| place::note(root, place, &origin).map(|()| written));
        let (file, path, bytes, state) = written.inspect_err(|_| {
            let _ = std::fs::remove_dir_all(&directory);
        })?;
        let root = root.to_path_buf();
        Ok(Self { root, directory, origin, segment_bytes, file, path, bytes, state, broken: None })
    }

    /// The name of the chain.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What the chain says now.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.state.tree.size(), root: self.state.tree.root() }
    }

    /// Why nothing can be written any more before the ledger is opened again.
    pub fn broken(&self) -> Option<&Fault> {
        self.broken.as_ref()
    }

    /// Appends entries. When it returns, those that have a stamp are on disk.
    ///
    /// # Errors
    /// When none could be written: the file is as it was before.
    pub fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Result<Stamp, Fault>>, Fault> {
        if let Some(fault) = &self.broken {
            return Err(fault.clone());
        }
        if self.bytes >= self.segment_bytes {
            self.rotate()?;
        }
        let mut state = self.state.clone();
        let mut text = String::new();
        let mut stamps = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let number = state.next();
            stamps.push(draft.line(state.hash, number).map(|(line, hash)| {
                state.push(&line, hash);
                text.push_str(&line);
                text.push('\n');
                Stamp { number, hash }
            }));
        }
        let written = self.file.write_all(text.as_bytes()).map_err(|error| (false, error));
        let written = written.and_then(|()| self.file.sync_data().map_err(|error| (true, error)));
        if let Err((was_syncing, error)) = written {
            let fault = Fault::of_file(if was_syncing { "sync" } else { "write" }, &self.path, &error);
            // What a sync that failed has left on disk nobody knows, so that the file is to be read again first.
            let restored = self.file.set_len(self.bytes);
            if was_syncing || restored.is_err() {
                self.broken = Some(fault.clone());
            }
            return Err(fault);
        }
        self.bytes += text.len() as u64;
        self.state = state;
        Ok(stamps)
    }

    /// Appends one entry.
    ///
    /// # Errors
    /// Those of [`Self::append`].
    pub fn append_one(&mut self, draft: &Draft) -> Result<Stamp, Fault> {
        let stamps = self.append(std::slice::from_ref(draft))?;
        stamps.into_iter().next().unwrap_or_else(|| Err(Fault::refusal("there was nothing to write")))
    }

    fn rotate(&mut self) -> Result<(), Fault> {
        let header = self.state.header(&self.origin);
        (self.file, self.path, self.bytes, self.state) = Self::new_segment(&self.directory, &self.state, &header)?;
        Ok(())
    }

    /// Makes a segment that begins with this entry.
    fn new_segment(directory: &Path, state: &State, first: &Draft) -> Result<(File, PathBuf, u64, State), Fault> {
        let (line, hash) = first.line(state.hash, state.next())?;
        let text = format!("{line}\n");
        let path = directory.join(segment::name(state.next()));
        let made = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let mut file = made.map_err(|error| Fault::of_file("make", &path, &error))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let written = written.map_err(|error| Fault::of_file("write", &path, &error));
        written.and_then(|()| place::sync(directory)).inspect_err(|_| {
            let _ = std::fs::remove_file(&path);
        })?;
        let mut state = state.clone();
        state.push(&line, hash);
        Ok((file, path, text.len() as u64, state))
    }

    /// Removes segments whose entries are all from before this time, except the one that is written, and chains of other places
    /// of which that is true. An entry with these fields says so first, by which the rest can still be verified.
    ///
    /// # Errors
    /// Those of the file system; what was not removed then is removed the next time.
    pub fn prune(&mut self, before: &str, fields: &Map<String, Value>) -> Result<Pruned, Fault> {
        let mut pruned = Pruned { segments: 0, entries: 0 };
        for chain in read::chains(&self.root)? {
            let is_own = chain.origin == self.origin;
            let Some(cut) = Cut::find(&chain, is_own, before)? else { continue };
            let mut anchor = Draft { kind: "prune".into(), fields: fields.clone() };
            anchor = anchor.with("before", before).with("origin", chain.origin.as_str());
            anchor = anchor.with("removed_to", cut.last.number).with("hash", cut.last.hash.to_string());
            self.append_one(&anchor)?;
            for (_, path) in &chain.segments[..cut.segments] {
                std::fs::remove_file(path).map_err(|error| Fault::of_file("remove", path, &error))?;
            }
            let directory = self.root.join(&chain.origin);
            place::sync(&directory)?;
            if cut.segments == chain.segments.len() {
                std::fs::remove_dir(&directory).map_err(|error| Fault::of_file("remove", &directory, &error))?;
                place::sync(&self.root)?;
            }
            pruned.segments += cut.segments as u64;
            pruned.entries += cut.last.number + 1 - cut.first;
        }
        Ok(pruned)
    }
}

/// The segments of a chain that are old.
struct Cut {
    segments: usize,
    first: u64,
    last: Stamp,
}

impl Cut {
    fn find(chain: &Chain, is_own: bool, before: &str) -> Result<Option<Self>, Fault> {
        let mut cut = None;
        for at in 0..chain.segments.len() {
            if is_own && at + 1 == chain.segments.len() {
                break;
            }
            let last = last_entry(&chain.segments[at].1)?;
            if last.at.as_str() >= before {
                break;
            }
            cut = Some(Self { segments: at + 1, first: chain.segments[0].0, last: last.stamp });
        }
        Ok(cut)
    }
}

/// The last entry of a chain that is gone on from elsewhere, or what is wrong with it.
fn end_of(chain: &Chain) -> Map<String, Value> {
    let mut end = Map::new();
    end.insert("origin".into(), chain.origin.as_str().into());
    let last = chain.segments.iter().rev().find_map(|(_, path)| last_entry(path).ok());
    if let Some(last) = last {
        end.insert("number".into(), last.stamp.number.into());
        end.insert("hash".into(), last.stamp.hash.to_string().into());
    }
    let sound = chain.segments.last().is_some_and(|(_, path)| first_entry(path).is_ok());
    end.insert("is_readable".into(), sound.into());
    end
}

/// Random bytes of the operating system.
///
/// # Errors
/// When it has none.
pub fn random() -> Result<[u8; 16], Fault> {
    let mut bytes = [0; 16];
    let path = Path::new("/dev/urandom");
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Fault::of_file("read", path, &error))?;
    Ok(bytes)
}
