//! Requests to the S3 server that are signed by hand, with any keys.

use gitdeploy_core::hash::Sha256;
use http::Method;
use reqwest::Response;

use crate::s3::{Keys, S3Server};

const DAY: &str = "20260101";

/// Sends a request for `path`, such as `/sites/a?uploads=`, and returns its answer. The query has to be sorted
/// and to be encoded as it is signed.
pub(crate) async fn send(
    server: &S3Server,
    keys: &Keys,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let host = server.endpoint().replace("http://", "");
    let time = now();
    let day = &time[..DAY.len()];
    let mut signed: Vec<(&str, &str)> =
        vec![("host", &host), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-date", &time)];
    signed.extend(keys.session_token.as_deref().map(|token| ("x-amz-security-token", token)));
    signed.extend(headers);
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines = signed.iter().flat_map(|(name, value)| [name, ":", value, "\n"]).collect::<String>();
    let (path_alone, query) = path.split_once('?').unwrap_or((path, ""));
    let canonical = format!("{method}\n{path_alone}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD");
    let scope = format!("{day}/us-east-1/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", Sha256::of(canonical.as_bytes()));
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for part in [day, "us-east-1", "s3", "aws4_request"] {
        key = hmac(&key, part.as_bytes()).as_bytes().to_vec();
    }
    let signature = hmac(&key, to_sign.as_bytes());
    let id = &keys.access_key_id;
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
    let mut request = reqwest::Client::new().request(method, server.endpoint() + path);
    for (name, value) in signed.into_iter().filter(|(name, _)| *name != "host") {
        request = request.header(name, value);
    }
    request.header("authorization", authorization).body(body.to_owned()).send().await.unwrap()
}

/// RFC 2104.
fn hmac(key: &[u8], text: &[u8]) -> Sha256 {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(Sha256::of(key).as_bytes());
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8, rest: &[u8]| {
        let mut whole: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        whole.extend(rest);
        Sha256::of(&whole)
    };
    padded(0x5c, padded(0x36, text).as_bytes())
}

fn now() -> String {
    let mut text = Vec::new();
    let now = s3s::dto::Timestamp::from(std::time::SystemTime::now());
    now.format(s3s::dto::TimestampFormat::DateTime, &mut text).unwrap();
    let digits: String =
        String::from_utf8(text).unwrap().chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    // Seconds without their fraction.
    format!("{}Z", &digits[..15])
}
