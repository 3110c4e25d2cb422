//! Where records come from: a file, standard input, or a socket of lines.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, bail};

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

/// How much of a source without an end is read at once, and how often that may be ahead.
const PIECE_BYTES: usize = 1 << 18;
const PIECES_MAX: usize = 8;
/// How long is waited for more before whoever reads may look whether to stop.
const WAIT: Duration = Duration::from_millis(50);

/// A source that may be silent for long, read by a thread of its own: a read that waits cannot be
/// called off, so it is not waited for. Where nothing comes for a while, reading is `Interrupted`.
struct Awaited {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
}

impl Awaited {
    fn read(mut source: impl Read + Send + 'static) -> Awaited {
        let (to, pieces) = mpsc::sync_channel(PIECES_MAX);
        thread::spawn(move || {
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let read = match source.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read.map(|count| piece[..count].to_vec()),
                };
                let is_last = read.as_ref().map_or(true, Vec::is_empty);
                if to.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Awaited { pieces, piece: Vec::new(), taken: 0 }
    }
}

impl Read for Awaited {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            self.taken = 0;
            self.piece = match self.pieces.recv_timeout(WAIT) {
                Ok(piece) => piece?,
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::Interrupted.into()),
                // The thread has sent the end or an error before it went.
                Err(RecvTimeoutError::Disconnected) => Vec::new(),
            };
        }
        let count = into.len().min(self.piece.len() - self.taken);
        into[..count].copy_from_slice(&self.piece[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

/// Opens a source: `-`, `tcp://HOST:PORT`, or a path, which is decompressed by what it begins with.
///
/// # Errors
/// When it cannot be opened.
pub fn open(address: &str, path: &Path) -> anyhow::Result<Source> {
    if address == "-" {
        let bytes = Box::new(Awaited::read(io::stdin()));
        let name = "standard input".into();
        return Ok(Source { bytes, name, is_file: false, position: Position::default() });
    }
    if let Some(host) = address.strip_prefix("tcp://") {
        let stream = TcpStream::connect(host)
            .with_context(|| format!("connecting to {address} (is something listening there?)"))?;
        let (bytes, position) = (Box::new(Awaited::read(stream)), Position::default());
        return Ok(Source { bytes, name: address.into(), is_file: false, position });
    }
    if let Some((scheme, _)) = address.split_once("://").filter(|_| !path.exists()) {
        let why = match scheme {
            "kafka" => "a place of the log (--log)",
            _ => "no address that can be read",
        };
        bail!("{address} is {why}: a source is a file, `-` for standard input, or tcp://HOST:PORT");
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_silent_source_is_not_waited_for() {
        let (silent, mut sender) = io::pipe().unwrap();
        let mut source = Awaited::read(silent);
        let mut into = [0; 4];
        let error = source.read(&mut into).map_err(|error| error.kind());
        assert_eq!(error, Err(io::ErrorKind::Interrupted));
        sender.write_all(b"abcdef").unwrap();
        drop(sender);
        // `read_to_end` goes on where it was interrupted.
        let mut all = Vec::new();
        source.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"abcdef");
    }
}
