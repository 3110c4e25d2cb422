//! Where records come from: a file, standard input, or a socket of lines.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    net::TcpStream,
    path::Path,
};

use anyhow::Context;

/// A source that was opened: bytes, and their size if it is known.
pub struct Source {
    /// The bytes, decompressed.
    pub bytes: Box<dyn Read + Send>,
    /// What it is called.
    pub name: String,
    /// Whether it can be read again from its beginning, so that a load can resume.
    pub is_file: bool,
}

/// Opens a source: `-`, `tcp://HOST:PORT`, or a path, which is decompressed by what it begins with.
///
/// # Errors
/// When it cannot be opened.
pub fn open(address: &str, path: &Path) -> anyhow::Result<Source> {
    if address == "-" {
        let bytes = Box::new(io::stdin());
        return Ok(Source { bytes, name: "standard input".into(), is_file: false });
    }
    if let Some(host) = address.strip_prefix("tcp://") {
        let stream = TcpStream::connect(host)
            .with_context(|| format!("connecting to {address} (is something listening there?)"))?;
        return Ok(Source { bytes: Box::new(stream), name: address.into(), is_file: false });
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let bytes = decompressed(file).with_context(|| format!("reading {}", path.display()))?;
    let name =
        path.file_name().map_or_else(|| address.into(), |name| name.to_string_lossy().into());
    Ok(Source { bytes, name, is_file: true })
}

/// Decompresses what is compressed, by its first bytes: xz, gzip, zstd.
fn decompressed(mut file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    file.by_ref().take(6).read_to_end(&mut head)?;
    let whole = io::Cursor::new(head.clone()).chain(file);
    Ok(match head.as_slice() {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            Box::new(liblzma::read::XzDecoder::new_multi_decoder(BufReader::new(whole)))
        }
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}
