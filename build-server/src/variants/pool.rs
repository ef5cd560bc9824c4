//! Threads that compress, one for each core, at a lower priority than the upload.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gitdeploy_core::hash::{Hasher, Sha256};
use gitdeploy_core::manifest::Encoding;
use gitdeploy_store::Content;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::encode::{Effort, encode};
use super::{Compressed, Job, Room};

/// How much less than the upload the threads get of the processor.
const NICE: i32 = 5;

/// Up to this size a file is compressed from memory to memory; in bytes.
const IN_MEMORY: u64 = 256 * 1024;

/// How much the copies in memory may take that wait for the upload or are under way, in bytes.
const ROOM: usize = 64 << 20;

/// What is compressed together is compressed thoroughly up to this size: about a third of a second on one core.
const THOROUGH: u64 = 1 << 20;

/// A copy is kept if it saves a twentieth.
const SAVED: u64 = 20;

/// The threads. What they have not made when it is dropped is not made at all.
#[derive(Debug)]
pub(crate) struct Pool {
    copies: mpsc::UnboundedReceiver<Compressed>,
    work: Arc<Work>,
}

#[derive(Debug)]
struct Work {
    jobs: Mutex<VecDeque<Job>>,
    effort: Effort,
    /// Where copies of large files are written.
    directory: PathBuf,
    deadline: Instant,
    room: Arc<Semaphore>,
    runtime: Handle,
    left_out: AtomicUsize,
    given_up: AtomicBool,
}

impl Pool {
    /// Begins with `jobs`. What is too large for memory becomes files in `directory`; after `limit` no more is
    /// made.
    pub(crate) fn start(mut jobs: Vec<Job>, directory: PathBuf, limit: Duration) -> Self {
        // The largest first: else one core would work on it when all others are done.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
        let bytes: u64 = jobs.iter().map(|job| job.bytes).sum();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
        let work = Arc::new(Work {
            jobs: Mutex::new(jobs.into()),
            effort: if bytes <= THOROUGH { Effort::Thorough } else { Effort::Quick },
            directory,
            deadline: Instant::now() + limit,
            room: Arc::new(Semaphore::new(ROOM)),
            runtime: Handle::current(),
            left_out: AtomicUsize::new(0),
            given_up: AtomicBool::new(false),
        });
        let (sender, copies) = mpsc::unbounded_channel();
        for _ in 0..threads {
            let (work, sender) = (Arc::clone(&work), sender.clone());
            std::thread::spawn(move || work.run(&sender));
        }
        Self { copies, work }
    }

    /// The next copy; none: all are made, or there was no more time.
    pub(crate) async fn next(&mut self) -> Option<Compressed> {
        self.copies.recv().await
    }

    /// How many files were left out because there was no more time.
    pub(crate) fn left_out(&self) -> usize {
        self.work.left_out.load(Ordering::Relaxed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.work.given_up.store(true, Ordering::Relaxed);
        self.work.room.close();
    }
}

impl Work {
    fn run(&self, copies: &mpsc::UnboundedSender<Compressed>) {
        // On Linux this is the thread's alone. Without it the upload is slower, and that is all.
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!(%error, "cannot compress at a low priority");
        }
        while let Some(job) = self.next() {
            match self.compress(&job, copies) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.left_out.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => tracing::warn!(%error, path = %job.path, "a file could not be compressed"),
            }
        }
    }

    fn next(&self) -> Option<Job> {
        self.jobs.lock().expect("no panic while locked").pop_front()
    }

    fn compress(&self, job: &Job, copies: &mpsc::UnboundedSender<Compressed>) -> io::Result<()> {
        let small = job.bytes <= IN_MEMORY;
        let content = if small { self.content(job)? } else { Vec::new() };
        for &encoding in &job.encodings {
            self.go_on()?;
            let copy =
                if small { self.in_memory(job, &content, encoding)? } else { self.on_disk(job, encoding)? };
            if copy.is_some_and(|copy| copies.send(copy).is_err()) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn in_memory(&self, job: &Job, content: &[u8], encoding: Encoding) -> io::Result<Option<Compressed>> {
        let mut encoded = Vec::with_capacity(content.len() / 2);
        encode(&mut &*content, &mut encoded, job.bytes, encoding, self.effort)?;
        if !is_worth_it(job.bytes, encoded.len() as u64) {
            return Ok(None);
        }
        let wanted = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
        let room = self.runtime.block_on(Arc::clone(&self.room).acquire_many_owned(wanted));
        let Ok(permit) = room else { return Ok(None) };
        Ok(Some(Compressed {
            path: job.path.clone(),
            encoding,
            bytes: encoded.len() as u64,
            sha256: Sha256::of(&encoded),
            content: Content::Bytes(encoded.into()),
            _room: Room::Memory { _permit: permit },
        }))
    }

    fn on_disk(&self, job: &Job, encoding: Encoding) -> io::Result<Option<Compressed>> {
        let mut source = Watched { file: File::open(&job.real)?, work: self, hasher: Hasher::default() };
        // It vanishes unless the copy holds it.
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        let mut target = Hashed { target: file.as_file_mut(), hasher: Hasher::default() };
        encode(&mut source, &mut target, job.bytes, encoding, self.effort)?;
        let sha256 = target.hasher.finish();
        unchanged(job, source.hasher.finish())?;
        let bytes = file.as_file_mut().stream_position()?;
        if !is_worth_it(job.bytes, bytes) {
            return Ok(None);
        }
        let file = file.into_temp_path();
        Ok(Some(Compressed {
            path: job.path.clone(),
            encoding,
            bytes,
            sha256,
            content: Content::File(file.to_path_buf()),
            _room: Room::Disk { _file: file },
        }))
    }

    fn content(&self, job: &Job) -> io::Result<Vec<u8>> {
        self.go_on()?;
        let mut content = Vec::with_capacity(usize::try_from(job.bytes).unwrap_or_default());
        File::open(&job.real)?.take(IN_MEMORY + 1).read_to_end(&mut content)?;
        unchanged(job, Sha256::of(&content))?;
        Ok(content)
    }

    /// Ends with [`io::ErrorKind::TimedOut`] when nobody wants more.
    fn go_on(&self) -> io::Result<()> {
        if self.given_up.load(Ordering::Relaxed) || Instant::now() >= self.deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

fn is_worth_it(bytes: u64, encoded: u64) -> bool {
    encoded <= bytes - bytes.div_ceil(SAVED)
}

/// A copy has to be one of the file that is published, and of no later content.
fn unchanged(job: &Job, sha256: Sha256) -> io::Result<()> {
    if sha256 == job.sha256 { Ok(()) } else { Err(io::Error::other("it changed meanwhile")) }
}

/// A file that is hashed on the way, and that ends early when nobody wants the rest.
struct Watched<'a> {
    file: File,
    work: &'a Work,
    hasher: Hasher,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.work.go_on()?;
        let bytes = self.file.read(buffer)?;
        self.hasher.update(&buffer[..bytes]);
        Ok(bytes)
    }
}

/// What is hashed on its way into a file.
struct Hashed<'a> {
    target: &'a mut File,
    hasher: Hasher,
}

impl Write for Hashed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let bytes = self.target.write(buffer)?;
        self.hasher.update(&buffer[..bytes]);
        Ok(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variants::tests::decoded;

    const MINUTE: Duration = Duration::from_mins(1);

    /// Jobs for files of a directory.
    fn jobs(directory: &tempfile::TempDir, files: &[(&str, Vec<u8>)]) -> Vec<Job> {
        let jobs = files.iter().map(|(name, content)| {
            let real = directory.path().join(name);
            std::fs::write(&real, content).unwrap();
            let (bytes, sha256) = (content.len() as u64, Sha256::of(content));
            Job { path: name.parse().unwrap(), real, bytes, sha256, encodings: Encoding::ALL.to_vec() }
        });
        jobs.collect()
    }

    fn numbers(count: u32) -> Vec<u8> {
        (0..count).flat_map(|number| format!("{number} ").into_bytes()).collect()
    }

    async fn all(pool: &mut Pool) -> Vec<Compressed> {
        let mut copies = Vec::new();
        while let Some(copy) = pool.next().await {
            copies.push(copy);
        }
        copies.sort_by(|one, other| (&one.path, one.encoding).cmp(&(&other.path, other.encoding)));
        copies
    }

    fn bytes(content: &Content) -> Vec<u8> {
        match content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::File(path) => std::fs::read(path).unwrap(),
        }
    }

    #[tokio::test]
    async fn every_file_gets_every_encoding_and_leaves_nothing() {
        let (site, room) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = [("large.txt", numbers(100_000)), ("small.txt", numbers(1000))];
        assert!(files[0].1.len() as u64 > IN_MEMORY);
        let mut pool = Pool::start(jobs(&site, &files), room.path().to_owned(), MINUTE);
        let copies = all(&mut pool).await;
        let made: Vec<_> = copies.iter().map(|copy| (copy.path.as_str(), copy.encoding)).collect();
        let expected: Vec<_> =
            files.iter().flat_map(|(name, _)| Encoding::ALL.map(|encoding| (*name, encoding))).collect();
        assert_eq!(made, expected);
        for copy in &copies {
            let content = bytes(&copy.content());
            assert_eq!(content.len() as u64, copy.bytes);
            assert_eq!(Sha256::of(&content), copy.sha256);
            let original = &files.iter().find(|(name, _)| *name == copy.path.as_str()).unwrap().1;
            assert_eq!(decoded(copy.encoding, &content), *original);
        }
        assert_eq!(pool.left_out(), 0);
        drop(copies);
        assert_eq!(room.path().read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_copy_that_saves_nothing_is_not_kept() {
        let mut noise = vec![0; 4096];
        getrandom::fill(&mut noise).unwrap();
        let site = tempfile::tempdir().unwrap();
        let mut pool = Pool::start(jobs(&site, &[("noise.txt", noise)]), site.path().to_owned(), MINUTE);
        assert!(all(&mut pool).await.is_empty());
        assert_eq!(pool.left_out(), 0);
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_time_is_left_out_and_counted() {
        let (site, room) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = jobs(&site, &[("large.txt", numbers(100_000)), ("small.txt", numbers(1000))]);
        let mut pool = Pool::start(jobs, room.path().to_owned(), Duration::ZERO);
        assert!(all(&mut pool).await.is_empty());
        assert_eq!(pool.left_out(), 2);
        assert_eq!(room.path().read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_has_no_copy_of_its_later_content() {
        let (site, room) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = jobs(&site, &[("large.txt", numbers(100_000)), ("small.txt", numbers(1000))]);
        for job in &jobs {
            std::fs::write(&job.real, vec![b'a'; usize::try_from(job.bytes).unwrap()]).unwrap();
        }
        let mut pool = Pool::start(jobs, room.path().to_owned(), MINUTE);
        assert!(all(&mut pool).await.is_empty());
    }

    #[tokio::test]
    async fn a_pool_that_nobody_wants_ends() {
        let site = tempfile::tempdir().unwrap();
        let pool = Pool::start(jobs(&site, &[("a.txt", numbers(1000))]), site.path().to_owned(), MINUTE);
        let work = Arc::downgrade(&pool.work);
        drop(pool);
        while work.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }
}
