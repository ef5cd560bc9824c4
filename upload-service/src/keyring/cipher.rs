//! AES-256-GCM with a random nonce before what it seals.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// The length of a key, in bytes.
pub(super) const KEY: usize = 32;

#[derive(Debug)]
pub(super) struct Cipher(RandomizedNonceKey);

impl Cipher {
    /// None if that is not as long as a key.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key).ok().map(Self)
    }

    /// Appends the sealed secret to `head`, which is not secret.
    pub(super) fn seal(&self, name: &str, secret: &[u8], mut head: Vec<u8>) -> Vec<u8> {
        let mut body = secret.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(bound(name)), &mut body)
            .expect("a small secret can be sealed");
        head.extend_from_slice(nonce.as_ref());
        head.append(&mut body);
        head
    }

    /// None if it was sealed with another key, for another name, or changed since.
    pub(super) fn open_sealed(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let secret = self.0.open_in_place(nonce, Aad::from(bound(name)), &mut body).ok()?;
        Some(secret.to_vec())
    }
}

fn bound(name: &str) -> Vec<u8> {
    format!("gitdeploy:{name}").into_bytes()
}
