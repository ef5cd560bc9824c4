//! What a fuzzer calls: for each kind of input from strangers a function that takes any bytes, and panics where the proxy
//! does not keep what it promises.
//!
//! Inputs are texts that people can read: a request as it is on the wire, then sections between lines of `---`. The
//! seeds in `fuzz/seeds` show them, and are tests too.

mod headers;
mod manifest;
mod promises;
mod proxy;
mod range;
mod rules;
mod script;
mod url;

pub use headers::headers;
pub use manifest::manifest;
pub use range::range;
pub use rules::rules;
pub use url::url;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 5] = [
        ("headers", super::headers),
        ("manifest", super::manifest),
        ("range", super::range),
        ("rules", super::rules),
        ("url", super::url),
    ];

    /// The seeds, among them every input that once broke a promise.
    #[test]
    fn every_seed_keeps_the_promises() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
        for (name, target) in TARGETS {
            let files: Vec<_> = fs::read_dir(seeds.join(name)).unwrap().collect();
            assert!(!files.is_empty(), "{name} has no seeds");
            for file in files {
                let path = file.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
            }
        }
    }
}
