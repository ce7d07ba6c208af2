#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| shiome_properties::trace_context(input));
