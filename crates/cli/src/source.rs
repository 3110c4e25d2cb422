//! Where records come from: a file, standard input, or a socket of lines.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
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
    /// How much of it was read.
    pub position: Position,
}

/// How much of a file was read, as it lies on the disk.
#[derive(Clone, Debug, Default)]
pub struct Position {
    read: Arc<AtomicU64>,
    size: u64,
}

impl Position {
    /// From 0 to 1; `None` where nobody knows how much there is.
    pub fn share(&self) -> Option<f64> {
        let read = self.read.load(Ordering::Relaxed);
        (self.size > 0).then(|| (read as f64 / self.size as f64).min(1.0))
    }
}

/// Reads a file, and notes down how far.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens a source: `-`, `tcp://HOST:PORT`, or a path, which is decompressed by what it begins with.
///
/// # Errors
/// When it cannot be opened.
pub fn open(address: &str, path: &Path) -> anyhow::Result<Source> {
    if address == "-" {
        let bytes = Box::new(io::stdin());
        let name = "standard input".into();
        return Ok(Source { bytes, name, is_file: false, position: Position::default() });
    }
    if let Some(host) = address.strip_prefix("tcp://") {
        let stream = TcpStream::connect(host)
            .with_context(|| format!("connecting to {address} (is something listening there?)"))?;
        let (bytes, position) = (Box::new(stream), Position::default());
        return Ok(Source { bytes, name: address.into(), is_file: false, position });
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let metadata = file.metadata().with_context(|| format!("opening {}", path.display()))?;
    let (size, is_file) = (metadata.len(), metadata.is_file());
    let position = Position { size, ..Position::default() };
    let file = Counted { file, read: position.read.clone() };
    let bytes = decompressed(file).with_context(|| format!("reading {}", path.display()))?;
    let name =
        path.file_name().map_or_else(|| address.into(), |name| name.to_string_lossy().into());
    // What a shell writes into a pipe is at its end once it was read, whatever it is called.
    Ok(Source { bytes, name, is_file, position })
}

/// Decompresses what is compressed, by its first bytes: xz, gzip, zstd.
fn decompressed(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
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
