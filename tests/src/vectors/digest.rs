//! Answers to challenges: `{"cookie", "challenge", "sha256", "md5"}`.

use serde::Deserialize;
use serde_json::Value;
use shiome_handshake::{Cookie, DigestScheme};

use super::{FileReport, Format, unhex};

pub(super) const FORMAT: Format = Format {
    name: "digest",
    required: &["cookie", "challenge", "sha256", "md5"],
    // Where the digest was seen, which is nothing to check.
    optional: &["sha256_seen_in_handshake", "note"],
    check,
};

#[derive(Deserialize)]
struct Entry {
    cookie: String,
    challenge: u32,
    sha256: String,
    md5: String,
}

fn check(entries: &[Value], report: &mut FileReport) {
    report.each(
        entries,
        |entry: &Entry| format!("challenge {}", entry.challenge),
        |entry| {
            entry.answer("sha256", DigestScheme::Sha256, &entry.sha256)?;
            entry.answer("md5", DigestScheme::Md5, &entry.md5)
        },
    );
}

impl Entry {
    fn answer(&self, name: &str, scheme: DigestScheme, recorded: &str) -> Result<(), String> {
        let recorded = unhex(name, recorded)?;
        let digest = scheme.digest(&Cookie::new(self.cookie.as_str()), self.challenge);
        if digest.as_ref() != recorded {
            return Err(format!("{name}: is {}", hex::encode(digest)));
        }
        if !digest.verify(&recorded) {
            return Err(format!("{name}: equal, but does not verify"));
        }
        Ok(())
    }
}
