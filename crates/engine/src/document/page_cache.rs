//! Keeps what was recognised in pictures, so that a document that is read again, because a part of it has changed or a
//! citation is checked, has only its new pictures recognised.
//!
//! An entry is a file in the runtime directory, named by the hash of model and pixels: who has the same picture has its
//! words. Files may be deleted or damaged by others at any time; such a picture is recognised again.

use super::conversation::{Done, PictureRoom, Pictures};
use crate::keyword::lru::Lru;
use crate::request::Request;
use sha2::{Digest, Sha256};
use socle_ocr::{Picture, Recognized};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Size of all files in bytes, beyond which the least recently used are removed: the words of some ten thousand pages.
const MAX_BYTES: u64 = 256 << 20;

/// Raised when the same pixels and model give other words than before, or files another form.
const FORMAT: u8 = 5;

/// Begins the names of files. Segments of the keyword index lie beside them under names of their own.
const PREFIX: &str = "page-";

/// Length of the hash at the start of a file, of what follows.
const HASH_BYTES: usize = 32;

type Key = [u8; HASH_BYTES];

/// What was recognised, and the processor time that it took.
type Entry = (Recognized, Duration);

/// The cache. Shared by all worker threads.
#[derive(Debug)]
pub struct PageCache {
    directory: PathBuf,
    entries: Mutex<Lru<Key, ()>>,
}

impl PageCache {
    /// The cache in a directory, with the files that an earlier engine left there.
    pub fn new(directory: &Path) -> Self {
        let mut found: Vec<(SystemTime, Key, u64)> = Vec::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            match (parse(name), entry.metadata()) {
                (Some(key), Ok(metadata)) => {
                    found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), key, metadata.len()));
                }
                _ => drop(std::fs::remove_file(entry.path())),
            }
        }
        found.sort_unstable();
        let cache = Self { directory: directory.to_path_buf(), entries: Mutex::new(Lru::new(MAX_BYTES)) };
        found.into_iter().for_each(|(_, key, bytes)| cache.count(key, bytes));
        cache
    }

    /// Removes everything, as an erasure asks for.
    pub fn clear(&self) {
        *self.lock() = Lru::new(MAX_BYTES);
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn get(&self, key: &Key) -> Option<Entry> {
        self.lock().get(key)?;
        let read = std::fs::read(self.path(key)).ok().and_then(|bytes| decode(&bytes));
        if read.is_none() {
            self.lock().remove(key);
            let _ = std::fs::remove_file(self.path(key));
        }
        read
    }

    /// A failure to write is no error: the picture will be recognised again.
    fn put(&self, key: Key, recognized: &Recognized, time: Duration) {
        let Some(bytes) = encode(recognized, time) else { return };
        if std::fs::write(self.path(&key), &bytes).is_ok() {
            self.count(key, bytes.len() as u64);
        } else {
            let _ = std::fs::remove_file(self.path(&key));
        }
    }

    fn count(&self, key: Key, bytes: u64) {
        let gone = self.lock().insert(key, (), bytes);
        gone.into_iter().for_each(|(key, ())| drop(std::fs::remove_file(self.path(&key))));
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!("{PREFIX}{name}"))
    }

    fn lock(&self) -> MutexGuard<'_, Lru<Key, ()>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Recognises the pictures that are not in the cache.
pub struct CachedPictures<'a> {
    /// Recognises the others.
    pub pictures: &'a dyn Pictures,
    /// The cache.
    pub cache: Arc<PageCache>,
    /// Digest of the model that recognises.
    pub model_digest: String,
    /// The request for the document. The time that its pictures took when they were recognised is counted for it, so that
    /// one with too many of them fails each time.
    pub request: &'a Request,
}

impl Pictures for CachedPictures<'_> {
    fn begin(&self, picture: Picture, room: PictureRoom, done: Done) {
        let key = key(&self.model_digest, &picture);
        if let Some((known, time)) = self.cache.get(&key) {
            self.request.add_recognition_time(time);
            return done(Ok(known), time);
        }
        let cache = Arc::clone(&self.cache);
        let keep: Done = Box::new(move |result, time| {
            if let Ok(recognized) = &result {
                cache.put(key, recognized, time);
            }
            done(result, time);
        });
        self.pictures.begin(picture, room, keep);
    }
}

fn key(model_digest: &str, picture: &Picture) -> Key {
    let mut hash = Sha256::new();
    hash.update([FORMAT, picture.channels.bytes() as u8]);
    hash.update((model_digest.len() as u64).to_le_bytes());
    hash.update(model_digest);
    for side in [picture.width, picture.height] {
        hash.update(side.to_le_bytes());
    }
    hash.update(picture.dpi.unwrap_or_default().to_le_bytes());
    hash.update(&picture.pixels);
    hash.finalize().into()
}

fn encode(recognized: &Recognized, time: Duration) -> Option<Vec<u8>> {
    let words = postcard::to_stdvec(&(recognized, time)).ok()?;
    Some([&Sha256::digest(&words)[..], &words].concat())
}

fn decode(bytes: &[u8]) -> Option<Entry> {
    let (hash, words) = bytes.split_at_checked(HASH_BYTES)?;
    (Sha256::digest(words)[..] == *hash).then(|| postcard::from_bytes(words).ok()).flatten()
}

fn parse(name: &str) -> Option<Key> {
    let mut key = [0; HASH_BYTES];
    if name.len() != 2 * HASH_BYTES || !name.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(name.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use socle_ocr::{Channels, Word};

    fn picture(grey: u8) -> Picture {
        Picture { width: 2, height: 1, channels: Channels::Grey, pixels: vec![grey, 0], dpi: None }
    }

    const TIME: Duration = Duration::from_millis(1500);

    fn words(text: &str) -> Recognized {
        let quad = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        Recognized { words: vec![Word { text: text.into(), quad, confidence: 1.0, line: 0 }], ..Recognized::default() }
    }

    #[test]
    fn words_are_kept_by_picture_and_model_and_outlive_the_engine() {
        let directory = std::env::temp_dir().join(format!("socle-pages-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let cache = PageCache::new(&directory);
        let (one, other) = (key("model", &picture(1)), key("model", &picture(2)));
        assert_ne!(one, key("another", &picture(1)));
        cache.put(one, &words("one"), TIME);
        cache.put(other, &words("other"), TIME);
        let cache = PageCache::new(&directory);
        assert_eq!((cache.get(&one), cache.get(&key("another", &picture(1)))), (Some((words("one"), TIME)), None));
        // What is damaged is forgotten.
        std::fs::write(cache.path(&one), b"something else, and longer than a hash of SHA-256").unwrap();
        assert_eq!((cache.get(&one), cache.get(&other)), (None, Some((words("other"), TIME))));
        assert!(!cache.path(&one).exists());
        cache.clear();
        assert_eq!((cache.get(&other), cache.path(&other).exists()), (None, false));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
