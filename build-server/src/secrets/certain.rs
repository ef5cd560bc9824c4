//! What is a secret for certain, so that a site with it is not published: no example, and nothing that only shows
//! how secrets look.

use std::ops::Range;

use super::Meaning;
use super::patterns::{Mark, is_base64, is_random};
use super::private_key::{begin, separators};

/// How far behind the name of a key of AWS its secret may stand, in bytes.
const NEAR: usize = 256;

/// How long the secret of a key of AWS is.
const AWS_SECRET: usize = 40;

/// How long the first line of a private key is at least.
const KEY_LINE: usize = 40;

pub(super) enum Certain {
    /// The known secret with this number.
    Secret(usize),
    /// Something of this kind.
    Pattern(&'static str),
}

impl Meaning {
    pub(super) fn certain(self, text: &[u8], range: Range<usize>) -> Option<Certain> {
        match self {
            Self::Secret { number, certain } => certain.then_some(Certain::Secret(number)),
            Self::Mark(mark) => {
                let pattern = match mark {
                    Mark::Token { .. } => is_token(mark, text, range).then_some("a token"),
                    Mark::AwsKey => is_aws_key(mark, text, range).then_some("a key of AWS with its secret"),
                    Mark::PrivateKey => is_private_key(&text[range.start..]).then_some("a private key"),
                    Mark::Address | Mark::AwsSecret => None,
                };
                pattern.map(Certain::Pattern)
            }
        }
    }
}

fn is_token(mark: Mark, text: &[u8], range: Range<usize>) -> bool {
    mark.secret(text, range.clone()).is_some_and(|token| is_random(&text[range.end..token.end], 12))
}

fn is_aws_key(mark: Mark, text: &[u8], range: Range<usize>) -> bool {
    let Some(key) = mark.secret(text, range) else { return false };
    let near = &text[key.end..text.len().min(key.end + NEAR)];
    let mut words = near.split(|byte| !is_base64(*byte));
    is_random(&text[key], 8) && words.any(|word| word.len() == AWS_SECRET && is_random(word, 16))
}

fn is_private_key(text: &[u8]) -> bool {
    let Some(end) = begin(&text[..text.len().min(64)]) else { return false };
    let body = &text[end..];
    let body = &body[separators(body)..];
    let length = body.iter().take_while(|byte| is_base64(**byte)).count();
    length >= KEY_LINE && is_random(&body[..length], 16)
}
