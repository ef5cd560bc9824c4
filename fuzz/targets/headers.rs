//! Headers of visitors, and of the proxies that pass them on.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| request_handler::fuzz::headers(input));
