//! Counts the tokens of documents with tiktoken-rs and says how long that took.
//!
//! `tiktoken-bench cl100k_base|o200k_base FILE`: FILE has the documents, each ended by a zero byte, which no text of
//! PostgreSQL contains. Prints bytes, tokens, seconds on the processor and seconds on the clock. Reading the file and
//! building the encoder take no part in the time.

use std::time::Instant;
use std::{env, fs, process};

use tiktoken_rs::{cl100k_base, o200k_base};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, encoding, file] = arguments.as_slice() else {
        eprintln!("usage: tiktoken-bench cl100k_base|o200k_base FILE");
        process::exit(2);
    };
    let encoder = match encoding.as_str() {
        "cl100k_base" => cl100k_base(),
        "o200k_base" => o200k_base(),
        _ => panic!("unknown encoding {encoding}"),
    }
    .expect("the vocabulary inside tiktoken-rs is well formed");
    let text = fs::read_to_string(file).expect("the documents can be read");
    let documents: Vec<&str> = text.split_terminator('\0').collect();

    // As the server does when it loads the extension.
    encoder.count_ordinary("A warm-up of 1 text.");

    // `count_ordinary` is the length of what `encode_ordinary` returns: there is no faster way to count.
    let (clock, processor) = (Instant::now(), processor_seconds());
    let tokens: usize = documents.iter().map(|document| encoder.count_ordinary(document)).sum();
    let (clock, processor) = (clock.elapsed().as_secs_f64(), processor_seconds() - processor);

    let bytes: usize = documents.iter().map(|document| document.len()).sum();
    println!("{bytes} {tokens} {processor} {clock}");
}

/// The time that this process has had on a processor.
fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the structure given.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
