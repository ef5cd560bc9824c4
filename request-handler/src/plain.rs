//! Sites without a manifest: a prefix that somebody filled, for example with `aws s3 sync`.
//!
//! Nothing says which files there are, so the store is asked for each file that the rules ask for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use gitdeploy_core::rules::HtmlHandling;
use gitdeploy_core::{Key, OutputId, SitePath, keys};

use crate::cached::{Cached, Loaded};
use crate::fault::Fault;
use crate::file::File;
use crate::origin::Origin;
use crate::resolve::{Pages, Resolution};

/// How long it is taken for granted that a file is there, or is not.
const FRESH: Duration = Duration::from_secs(2);

/// How much the answers of the store may take in memory, in bytes.
const CAPACITY: u64 = 32 << 20;

/// How much one of them takes, about.
const ANSWER: u64 = 1 << 10;

/// How many directories, from the root, are asked for a `404.html`: each is a request to the store.
const LEVELS: usize = 8;

/// Files of sites without a manifest.
#[derive(Clone)]
pub(crate) struct Plain {
    origin: Origin,
    probes: Arc<Cached<Key, Option<Arc<File>>>>,
}

/// What a path of such a site leads to.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// A file.
    File(Arc<File>),
    /// Another path, decoded.
    Redirect(String),
    /// Nothing, which the site may say with a page of its own.
    Missing(Option<Arc<File>>),
    /// Nothing, nor is there any sign of a site.
    NoSite,
}

/// What has been asked of the store so far for one question.
#[derive(Default)]
struct Answers {
    known: HashMap<SitePath, Option<Arc<File>>>,
    unknown: Vec<SitePath>,
}

impl Plain {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, probes: Cached::new(CAPACITY, ANSWER, ANSWER) }
    }

    /// What `path`, decoded, leads to in the prefix of `id`.
    pub(crate) async fn find(&self, id: &OutputId, path: &str) -> Result<Found, Fault> {
        let (resolution, mut answers) = self.settle(id, |answers| answers.pages().resolve(path)).await?;
        match resolution {
            Resolution::Redirect(to) => return Ok(Found::Redirect(to)),
            Resolution::File(path) => {
                if let Some(file) = answers.take(&path) {
                    return Ok(Found::File(file));
                }
            }
            Resolution::Missing => {}
        }
        let (page, mut answers) =
            self.settle(id, |answers| answers.pages().not_found_page(path, LEVELS)).await?;
        if let Some(page) = page.and_then(|page| answers.take(&page)) {
            return Ok(Found::Missing(Some(page)));
        }
        let home = "index.html".parse().expect("a file name is a path");
        let has_home = self.probe(id, &home).await?.is_some();
        Ok(if has_home { Found::Missing(None) } else { Found::NoSite })
    }

    /// Asks a question about the files of a prefix again and again, and the store for all files that it did
    /// not know of at once, until there is none.
    async fn settle<T>(
        &self,
        id: &OutputId,
        mut question: impl FnMut(&mut Answers) -> T,
    ) -> Result<(T, Answers), Fault> {
        let mut answers = Answers::default();
        loop {
            let answer = question(&mut answers);
            if answers.unknown.is_empty() {
                return Ok((answer, answers));
            }
            let unknown = std::mem::take(&mut answers.unknown);
            let found = try_join_all(unknown.iter().map(|path| self.probe(id, path))).await?;
            answers.known.extend(unknown.into_iter().zip(found));
        }
    }

    async fn probe(&self, id: &OutputId, path: &SitePath) -> Result<Option<Arc<File>>, Fault> {
        let key = keys::output(id, path);
        let load = |_| {
            let (origin, id, path, key) = (self.origin.clone(), id.clone(), path.clone(), key.clone());
            async move {
                Ok(match origin.head(&key).await? {
                    Some(meta) => {
                        let weight = 2 * key.as_str().len();
                        Loaded::for_now(Some(Arc::new(File::of_store(&id, &path, meta))), weight, FRESH)
                    }
                    None => Loaded::absence(None, FRESH),
                })
            }
        };
        self.probes.get(&key, load).await
    }

    /// Asks again whether a file is there that turned out to have changed.
    pub(crate) fn forget(&self, key: &Key) {
        self.probes.invalidate(key);
    }
}

impl Answers {
    /// The files of which is known whether they are there.
    fn pages(&mut self) -> Pages<impl FnMut(&str) -> bool> {
        Pages { handling: HtmlHandling::Auto, is_file: |name: &str| self.is_file(name) }
    }

    fn is_file(&mut self, name: &str) -> bool {
        if let Some(known) = self.known.get(name) {
            return known.is_some();
        }
        if let Ok(path) = name.parse::<SitePath>()
            && !self.unknown.contains(&path)
        {
            self.unknown.push(path);
        }
        false
    }

    fn take(&mut self, name: &str) -> Option<Arc<File>> {
        self.known.remove(name).flatten()
    }
}
