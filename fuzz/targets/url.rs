//! Hosts and targets of requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| request_handler::fuzz::url(input));
