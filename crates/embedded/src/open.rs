//! Opening the store: the one place that needs `unsafe`, and the registry that keeps it sound.
//!
//! LMDB maps its file into memory. Rust cannot see who else might truncate or overwrite that file,
//! so heed calls the opening unsafe. What we owe, and how it is kept:
//!
//! - nobody changes the file but through LMDB, whose lock file keeps processes apart. The files
//!   carry LMDB's names in a directory of the log's own, and nothing here writes to them;
//! - one process does not open it twice, since closing one of two descriptors would drop the locks
//!   of both: [`shared`] hands the same store to everybody, and heed refuses a second opening;
//! - no locks are switched off: no flag is set.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use alluvium_ledger::log::LogError;
use heed::{Env, EnvOpenOptions, Error, WithoutTls};

use crate::store::{Store, failed};

/// The tables, with room for later ones.
const TABLES_MAX: u32 = 16;
/// Readers of all processes at one moment.
const READERS_MAX: u32 = 1024;
/// The size of the map is a multiple of this, which is a multiple of every system's page.
const MAP_STEP: usize = 64 << 10;
/// The smallest map that is tried.
const MAP_BYTES_MIN: usize = 1 << 20;
/// How long a store that is just being closed is waited for.
const CLOSING_WAIT: Duration = Duration::from_secs(10);

static OPEN: Mutex<BTreeMap<PathBuf, Weak<Store>>> = Mutex::new(BTreeMap::new());

/// The store of a directory, opened or already open in this process.
pub(crate) fn shared(directory: &Path, bytes_max: u64) -> Result<Arc<Store>, LogError> {
    let doing = format!("opening the log in {}", directory.display());
    let io = |error: std::io::Error| failed(&doing, error.into());
    fs::create_dir_all(directory).map_err(io)?;
    let path = directory.canonicalize().map_err(io)?;

    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|_, store| store.strong_count() > 0);
    if let Some(store) = open.get(&path).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let is_new = !path.join("data.mdb").exists();
    let env = env(&path, bytes_max).map_err(|error| failed(&doing, error))?;
    check_length(&env, &path)?;
    if is_new {
        // The file's name is in the directory, and the directory's own in those above it, which
        // may have been made a moment ago: all of them have to be on the disk as well.
        for directory in path.ancestors() {
            match File::open(directory).and_then(|directory| directory.sync_all()) {
                // Somebody else's, which we did not make.
                Err(error) if directory != path && error.kind() == ErrorKind::PermissionDenied => {
                    break;
                }
                result => result.map_err(io)?,
            }
        }
    }
    let store = Arc::new(Store::new(env, path.clone())?);
    open.insert(path, Arc::downgrade(&store));
    Ok(store)
}

/// Pages that LMDB counts and may not have written: those of one commit's that it let go at once.
const UNWRITTEN_PAGES_MAX: u64 = 32;

/// Whether the file is as long as its own account of itself. Where it is not, to look at what is
/// missing would end the process by a signal.
fn check_length(env: &Env<WithoutTls>, path: &Path) -> Result<(), LogError> {
    // In this order: another process may be making it longer.
    let pages = env.info().last_page_number as u64 + 1;
    let page_bytes = u64::from(env.unnamed_database_stat().page_size);
    let file = path.join("data.mdb");
    let asking = || format!("asking for the length of {}", file.display());
    let bytes = fs::metadata(&file).map_err(|error| failed(&asking(), error.into()))?.len();
    if bytes >= pages.saturating_sub(UNWRITTEN_PAGES_MAX) * page_bytes {
        return Ok(());
    }
    let needed = pages * page_bytes;
    Err(LogError::Corrupt(format!(
        "{} has {bytes} bytes and needs {needed}: its end was cut off, as by a copy that was broken \
         off. Bring back a whole copy of the directory, or move this one away and load anew",
        file.display()
    )))
}

/// Opens the largest map the system gives, up to a size.
fn env(path: &Path, bytes_max: u64) -> Result<Env<WithoutTls>, Error> {
    let largest = usize::try_from(bytes_max).unwrap_or(usize::MAX >> 2);
    let mut map_bytes = (largest / MAP_STEP * MAP_STEP).max(MAP_BYTES_MIN);
    loop {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(map_bytes).max_dbs(TABLES_MAX).max_readers(READERS_MAX);
        // SAFETY: see the head of this file. The path is canonical, and the caller holds the
        // registry's lock, so that no other thread of ours opens it meanwhile.
        match unsafe { options.open(path) } {
            Err(Error::EnvAlreadyOpened) => {
                // The last user has let go and its drop is still closing the file.
                let closed = heed::env_closing_event(path)
                    .is_none_or(|event| event.wait_timeout(CLOSING_WAIT));
                if !closed {
                    return Err(Error::EnvAlreadyOpened);
                }
            }
            // A limit on address space (`ulimit -v`, a container): take less.
            Err(Error::Io(error))
                if error.kind() == ErrorKind::OutOfMemory && map_bytes > MAP_BYTES_MIN =>
            {
                map_bytes = (map_bytes / 4 / MAP_STEP * MAP_STEP).max(MAP_BYTES_MIN);
            }
            result => return result,
        }
    }
}
