//! The lease of an errand: a lock file, which the system lets go when its holder dies.

use std::{
    fs::{self, File},
    path::Path,
};

use alluvium_ledger::log::{Errand, Lease, LogError};

use crate::store::failed;

/// The longest file name that is written out; a longer pipeline's name becomes its digest.
const NAME_BYTES_MAX: usize = 200;

pub(crate) struct FileLease {
    file: File,
    held: bool,
}

impl FileLease {
    pub(crate) fn new(
        directory: &Path,
        pipeline: &str,
        errand: Errand<'_>,
    ) -> Result<FileLease, LogError> {
        let directory = directory.join("leases");
        let path = match errand {
            Errand::Run => directory.join(file_name(pipeline)),
            // Where no name of a pipeline leads.
            Errand::Load { topic } => directory.join(format!("load {}", file_name(topic))),
        };
        let open = || {
            fs::create_dir_all(&directory)?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(|error| {
            failed(&format!("opening the lease {}", path.display()), error.into())
        })?;
        Ok(FileLease { file, held: false })
    }
}

impl Lease for FileLease {
    fn held(&mut self) -> bool {
        // An error is taken for a no: somebody else may hold it, and standing by is harmless.
        self.held = self.held || self.file.try_lock().is_ok();
        self.held
    }
}

/// A file name of its own for each name of a pipeline, whatever it contains.
fn file_name(pipeline: &str) -> String {
    let mut name = String::new();
    for byte in pipeline.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte.into()),
            // Capitals too: some file systems take `A` for `a`.
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    if name.len() > NAME_BYTES_MAX {
        name = format!("%%{}", blake3::hash(pipeline.as_bytes()).to_hex());
    }
    format!("{name}.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_share_a_file() {
        assert_eq!(file_name("fraud"), "fraud.lock");
        assert_eq!(file_name("../Fraud"), "%2e%2e%2f%46raud.lock");
        assert_ne!(file_name(&"x".repeat(300)), file_name(&"x".repeat(301)));
        assert!(file_name(&"é".repeat(300)).len() < 255);
    }
}
