//! The lanes: classes of requests, each with a queue and worker threads of its own, so that one never waits for another.

/// Smallest number of documents that a document lane reads at once: two that take as long as they may are not to stop all
/// others.
const MIN_DOCUMENTS: usize = 4;

/// Largest such number. There are two such lanes; the fork server runs as many
/// readers as both may have (`MAX_READERS` of the fork server).
const MAX_DOCUMENTS: usize = 32;

/// For each document that is read at once, the number of those whose pictures may be recognised beside it: in all more than two
/// sync workers have under way.
pub const RECOGNIZED_DOCUMENTS: usize = 3;

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
    /// compute but wait: a quarter of them for reader processes, which run at low priority, the others for pictures.
    pub fn workers(self, threads: usize) -> usize {
        if self.reads_documents() { (1 + RECOGNIZED_DOCUMENTS) * Self::documents(threads) } else { threads }
    }

    /// Whether the workers of this lane read documents.
    pub fn reads_documents(self) -> bool {
        matches!(self, Self::Document | Self::BulkDocument)
    }

    /// Number of documents that a document lane reads at once, apart from those whose pictures are recognised.
    pub fn documents(threads: usize) -> usize {
        (2 * threads).clamp(MIN_DOCUMENTS, MAX_DOCUMENTS)
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
