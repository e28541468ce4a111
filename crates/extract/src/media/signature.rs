//! Signatures of unsupported binary formats, so that the error can name the format.

use crate::encoding::is_unicode;
use socle_core::{Error, Kind};

/// Signature, its offset, and the name of the format.
const SIGNATURES: &[(&[u8], usize, &str)] = &[
    (b"8BPS\0\x01", 0, "Photoshop image"),
    (b"8BPS\0\x02", 0, "Photoshop image"),
    (b"\0\0\x01\0", 0, "icon image"),
    (b"icns\0", 0, "icon image"),
    (b"ftyphei", 4, "HEIF image"),
    (b"ftyphev", 4, "HEIF image"),
    (b"ftypmif1", 4, "HEIF image"),
    (b"ftypmsf1", 4, "HEIF image"),
    (b"ftypavi", 4, "AVIF image"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", 0, "JPEG XL image"),
    (b"\xff\x0a", 0, "JPEG XL image"),
    (b"II\xbc\x01", 0, "JPEG XR image"),
    (b"\x8aMNG\r\n", 0, "MNG image"),
    (b"\x8bJNG\r\n", 0, "JNG image"),
    (b"DDS \x7c\0\0\0", 0, "DDS image"),
    (b"qoif\0", 0, "QOI image"),
    (b"farbfeld\0", 0, "farbfeld image"),
    (b"gimp xcf ", 0, "GIMP image"),
    (b"\x76\x2f\x31\x01", 0, "OpenEXR image"),
    (b"#?RADIANCE\n", 0, "Radiance image"),
    (b"#?RGBE\n", 0, "Radiance image"),
    (b"\x01\xda\0", 0, "SGI image"),
    (b"\x01\xda\x01", 0, "SGI image"),
    (b"\x59\xa6\x6a\x95", 0, "Sun raster image"),
    (b"SDPX", 0, "DPX image"),
    (b"XPDS", 0, "DPX image"),
    (b"SIMPLE  =", 0, "FITS image"),
    (b"BPG\xfb", 0, "BPG image"),
    (b"FLIF", 0, "FLIF image"),
    (b"DICM", 128, "DICOM image"),
    (b"/* XPM */", 0, "XPM image"),
    (b"\xd7\xcd\xc6\x9a", 0, "WMF image"),
    (b"\x01\0\x09\0\0\x03", 0, "WMF image"),
    (b" EMF\0\0", 40, "EMF image"),
    (b"\x1f\x8b", 0, "gzip archive"),
    (b"BZh", 0, "bzip2 archive"),
    (b"\xfd7zXZ\0", 0, "xz archive"),
    (b"\x28\xb5\x2f\xfd", 0, "zstd archive"),
    (b"\x04\x22\x4d\x18", 0, "LZ4 archive"),
    (b"LZIP\x01", 0, "lzip archive"),
    (b"\x1f\x9d", 0, "compressed archive"),
    (b"xar!\0", 0, "xar archive"),
    (b"\xed\xab\xee\xdb", 0, "RPM archive"),
    (b"070701", 0, "cpio archive"),
    (b"070702", 0, "cpio archive"),
    (b"070707", 0, "cpio archive"),
    (b"PACK\0\0\0", 0, "Git archive"),
    (b"CD001", 32_769, "ISO archive"),
    (b"7z\xbc\xaf\x27\x1c", 0, "7-Zip archive"),
    (b"Rar!\x1a\x07", 0, "RAR archive"),
    (b"MSCF\0\0\0\0", 0, "cabinet archive"),
    (b"ustar", 257, "tar archive"),
    (b"!<arch>\n", 0, "archive of object files"),
    (b"\x7fELF", 0, "executable file"),
    (b"\xcf\xfa\xed\xfe", 0, "executable file"),
    (b"\xce\xfa\xed\xfe", 0, "executable file"),
    (b"\xca\xfe\xba\xbe", 0, "executable file"),
    (b"\0asm", 0, "executable file"),
    (b"ID3", 0, "audio file"),
    (b"fLaC", 0, "audio file"),
    (b"MThd\0\0\0\x06", 0, "audio file"),
    (b"WAVE", 8, "audio file"),
    (b"RF64", 0, "audio file"),
    (b".snd\0", 0, "audio file"),
    (b"AIFF", 8, "audio file"),
    (b"AIFC", 8, "audio file"),
    (b"#!SILK", 0, "audio file"),
    (b"\x02#!SILK", 0, "audio file"),
    (b"caff\0", 0, "audio file"),
    (b"wvpk", 0, "audio file"),
    (b"MAC \x90\x0f", 0, "audio file"),
    (b"Creative Voice File\x1a", 0, "audio file"),
    (b"#!AMR", 0, "audio file"),
    (b"ftypM4A", 4, "audio file"),
    (b"OggS\0", 0, "audio or video file"),
    (b"AVI ", 8, "video file"),
    (b"\x1a\x45\xdf\xa3", 0, "video file"),
    (b"FLV\x01", 0, "video file"),
    (b"\0\0\x01\xba", 0, "video file"),
    (b"\0\0\x01\xb3", 0, "video file"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, "audio or video file"),
    (b"ftyp", 4, "video file"),
    (b"moov", 4, "video file"),
    (b"SQLite format 3\0", 0, "SQLite database"),
    (b"PAR1", 0, "Parquet file"),
    (b"ARROW1\0\0", 0, "Arrow file"),
    (b"FEA1", 0, "Arrow file"),
    (b"Obj\x01", 0, "Avro file"),
    (b"\x89HDF\r\n", 0, "HDF5 file"),
    (b"CDF\x01", 0, "NetCDF file"),
    (b"CDF\x02", 0, "NetCDF file"),
    (b"\x93NUMPY", 0, "NumPy file"),
    (b"MATLAB 5.0 MAT-file", 0, "MATLAB file"),
    (b"GGUF", 0, "model file"),
    (b"ITSF\x03\0", 0, "compiled help (CHM)"),
    (b"AC10", 0, "DWG drawing"),
    (b"BLENDER", 0, "Blender file"),
    (b"glTF\x02\0", 0, "glTF file"),
    (b"\xd4\xc3\xb2\xa1", 0, "network capture"),
    (b"ElfFile\0", 0, "Windows event log"),
    (b"regf", 0, "Windows registry"),
    (b"L\0\0\0\x01\x14\x02\0", 0, "Windows shortcut"),
    (b"\x1bLua", 0, "executable file"),
    (b"\x80\x01", 0, "font"),
    (b"FWS", 0, "Flash animation"),
    (b"CWS", 0, "Flash animation"),
    (b"AT&TFORM", 0, "DjVu document"),
    (b"BOOKMOBI", 60, "Kindle book"),
    (b"\xffWPC", 0, "WordPerfect document"),
    (b"\xdb\xa5-\0", 0, "Word document from before 1997"),
    (b"\x31\xbe\0\0", 0, "Word document from before 1997"),
    (b"!BDN", 0, "Outlook mailbox"),
    (b"\x78\x9f\x3e\x22", 0, "Outlook attachment (TNEF)"),
    (b"%!PS", 0, "PostScript document"),
    (b"\xc5\xd0\xd3\xc6", 0, "PostScript document"),
    (b"OTTO\0", 0, "font"),
    (b"\0\x01\0\0\0", 0, "font"),
    (b"ttcf\0", 0, "font"),
    (b"wOFF", 0, "font"),
    (b"wOF2", 0, "font"),
    (b"bplist00", 0, "property list"),
];

/// The name of the unsupported format of `bytes`, if it is known.
pub(super) fn recognise(bytes: &[u8]) -> Option<&'static str> {
    let at = |place: usize, signature: &[u8]| bytes.get(place..).is_some_and(|rest| rest.starts_with(signature));
    // A word may also be the first one of a text.
    let is_word = |place: usize, signature: &[u8]| place == 0 && signature.iter().all(u8::is_ascii_alphanumeric);
    let found = SIGNATURES.iter().find(|(signature, place, _)| {
        at(*place, signature)
            && !(is_word(*place, signature) && is_unicode(bytes.get(..super::SAMPLE).unwrap_or(bytes)))
    });
    let found = found.map(|(_, _, what)| *what);
    found.or_else(|| by_structure(bytes))
}

/// The name of a format without a signature.
fn by_structure(bytes: &[u8]) -> Option<&'static str> {
    if is_program(bytes) {
        return Some("executable file");
    }
    if is_targa(bytes) {
        return Some("TGA image");
    }
    if matches!(bytes, [0, 0, 2, 0, count, 0, ..] if *count > 0) {
        return Some("cursor image");
    }
    if matches!(bytes, [0x0a, 0 | 2..=5, 0 | 1, 1 | 2 | 4 | 8, ..]) {
        return Some("PCX image");
    }
    is_mpeg(bytes).then_some("audio file")
}

/// Whether `bytes` are a Truevision TGA picture: by the end of newer files, or by a head that no text has.
fn is_targa(bytes: &[u8]) -> bool {
    let [_, map @ (0 | 1), 1..=3 | 9..=11, first, .., _] = bytes else { return false };
    let Some([rest @ .., depth, alpha]) = bytes.get(4..18) else { return false };
    let has_map = *map == 1 || *first == 0 && rest.iter().take(4).all(|byte| *byte == 0);
    let has_size = rest.get(8..12).is_some_and(|sides| matches!(sides, [a, b, c, d] if (a | b) > 0 && (c | d) > 0));
    bytes.ends_with(b"TRUEVISION-XFILE.\0")
        || has_map && has_size && matches!(depth, 8 | 15 | 16 | 24 | 32) && alpha < &64
}

/// Whether `bytes` are a Windows executable. "MZ" alone may start a text.
fn is_program(bytes: &[u8]) -> bool {
    let header = bytes.get(0x3c..0x40).and_then(|place| place.try_into().ok()).map(u32::from_le_bytes);
    bytes.starts_with(b"MZ")
        && header.and_then(|place| bytes.get(place as usize..)).is_some_and(|rest| rest.starts_with(b"PE\0\0"))
}

/// Whether `bytes` are MPEG audio frames without a container: a second frame must follow at the length of the first.
fn is_mpeg(bytes: &[u8]) -> bool {
    const RATES: [usize; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    let [0xff, 0xfa | 0xfb, third, ..] = bytes else { return is_other_mpeg(bytes) };
    let rate = RATES.get(usize::from(third >> 4)).copied().unwrap_or(0);
    let frequency = [44_100, 48_000, 32_000, 0].get(usize::from(third >> 2) & 3).copied().unwrap_or(0);
    if rate == 0 || frequency == 0 {
        return false;
    }
    let length = 144_000 * rate / frequency + usize::from(third >> 1 & 1);
    matches!(bytes.get(length..), Some([0xff, 0xfa | 0xfb, ..]))
}

/// Whether `bytes` are less common MPEG audio: lower sampling rates, other layers, or AAC, whose frames state their
/// length.
fn is_other_mpeg(bytes: &[u8]) -> bool {
    let [0xff, second, third, fourth, fifth, sixth, ..] = bytes else { return false };
    let is_frame = |rest: &[u8]| matches!(rest, [0xff, other, ..] if other == second);
    if second & 0xf6 == 0xf0 {
        let length = usize::from(fourth & 3) << 11 | usize::from(*fifth) << 3 | usize::from(sixth >> 5);
        return length > 7 && bytes.get(length..).is_some_and(is_frame);
    }
    let is_known = matches!(second, 0xe2 | 0xe3 | 0xf2..=0xf7 | 0xfc | 0xfd) && third >> 4 != 15 && third >> 4 != 0;
    // Frame lengths would need a table per kind; two more frames nearby are sufficient.
    is_known
        && bytes.get(24..4000).or_else(|| bytes.get(24..)).is_some_and(|rest| {
            rest.windows(3)
                .filter(|three| is_frame(three) && three.get(2).is_some_and(|byte| byte & 0x0c == third & 0x0c))
                .count()
                > 1
        })
}

/// The non-text format indicated by a media type or a file name; `None` if they indicate none.
pub(super) fn stated(media_type: &str, name: &str) -> Option<&'static str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let stated = match essence.split_once('/') {
        Some(("audio", _)) => Some("audio file"),
        Some(("video", _)) => Some("video file"),
        Some(("image", kind)) if kind != "svg+xml" => Some("image"),
        Some(("font", _)) => Some("font"),
        _ => None,
    };
    let named = || {
        let (_, ending) = name.rsplit_once('.')?;
        Some(match ending {
            "au" | "snd" | "wav" | "mp3" | "m4a" | "aac" | "ogg" | "opus" | "wma" | "amr" | "aif" | "aiff" | "ul"
            | "ulaw" | "al" | "alaw" | "gsm" | "pcm" | "voc" | "flac" => "audio file",
            "mp4" | "m4v" | "mov" | "avi" | "mkv" | "webm" | "wmv" | "mpg" | "mpeg" | "flv" => "video file",
            "jpg" | "jpeg" | "png" | "gif" | "bmp" | "tif" | "tiff" | "webp" | "heic" | "heif" | "avif" | "ico"
            | "jp2" | "jxl" | "tga" | "pcx" | "pbm" | "pgm" | "ppm" | "pnm" | "pam" | "dds" | "psd" | "exr" | "hdr"
            | "raw" | "dng" | "nef" | "cr2" | "arw" => "image",
            "exe" | "dll" | "so" | "class" | "o" => "executable file",
            "ttf" | "otf" | "woff" | "woff2" => "font",
            _ => return None,
        })
    };
    stated.or_else(named)
}

/// The error for a known but unsupported format.
pub(super) fn unreadable(what: &str) -> Error {
    let error = Error::new(Kind::NotSupported, format!("{what} cannot be read"));
    match what.split(' ').next() {
        _ if what.ends_with("image") => error.hint("Save it as PNG, JPEG or PDF."),
        _ if what.ends_with("archive") => error.hint("Unpack it and read the files in it."),
        Some("Word") => error.hint("Save it as DOCX."),
        Some("PowerPoint") => error.hint("Save it as PPTX."),
        Some("Excel") => error.hint("Save it as XLSX."),
        Some("PostScript" | "XPS" | "DWG" | "DjVu" | "Visio" | "iWork" | "WordPerfect" | "OpenDocument") => {
            error.hint("Save it as PDF.")
        }
        _ => error,
    }
}
