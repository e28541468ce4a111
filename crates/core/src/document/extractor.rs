//! What the text of a file was extracted with, as it is kept with each of its chunks.

/// Version of the extraction of files. Whoever changes what comes out of any file raises it, once in a release: test
/// `another_text_has_another_version` of `crates/extract` compares what comes out of its files. It is here because the
/// library, which stores it, is not linked with any parser of documents.
pub const EXTRACTION_VERSION: u32 = 1;

/// What a text was extracted with: the version, and the digest of the model that recognised it in a picture, if one did.
pub fn extractor(recognized_by: Option<&str>) -> String {
    match recognized_by {
        None => format!("socle-extract {EXTRACTION_VERSION}"),
        Some(digest) => format!("socle-extract {EXTRACTION_VERSION}, ocr {digest}"),
    }
}
