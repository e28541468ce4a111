//! The lanes: classes of requests, each with a queue and worker threads of its own, so that one never waits for another.

/// Smallest number of workers of a document lane: two documents that take as long as they may are not to stop all others.
const MIN_DOCUMENT_WORKERS: usize = 4;

/// Largest number of workers of a document lane. There are two such lanes; the fork server runs as many readers as both
/// have workers (`MAX_READERS` of the fork server).
const MAX_DOCUMENT_WORKERS: usize = 32;

/// Which workers serve a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// A session waits for a single answer of a model: queries, reranking.
    Interactive = 0,
    /// Everything else that takes a model or long: passages, chunking, building segments. Runs at lower priority.
    Bulk = 1,
    /// Searches and other requests of the keyword index that take no model and less time than the run of one.
    Keyword = 2,
    /// Documents that a session waits for. The work is done in a reader process, within the limits of the request.
    Document = 3,
    /// Documents of a corpus.
    BulkDocument = 4,
}

impl Lane {
    /// All lanes, each at the index of its discriminant.
    pub const ALL: [Self; 5] = [Self::Interactive, Self::Bulk, Self::Keyword, Self::Document, Self::BulkDocument];

    /// Number of workers of this lane when `threads` compute. The document lanes have more, because their workers do not
    /// compute but wait for reader processes, which run at low priority.
    pub fn workers(self, threads: usize) -> usize {
        match self {
            Self::Document | Self::BulkDocument => (2 * threads).clamp(MIN_DOCUMENT_WORKERS, MAX_DOCUMENT_WORKERS),
            _ => threads,
        }
    }

    /// Name of the threads of its workers.
    pub fn thread_name(self) -> &'static str {
        match self {
            Self::Interactive => "socle query",
            Self::Bulk => "socle bulk",
            Self::Keyword => "socle keyword",
            Self::Document | Self::BulkDocument => "socle document",
        }
    }
}
