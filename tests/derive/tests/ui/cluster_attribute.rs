use shiome_derive::{BytesConvertable, RactorClusterMessage, RactorMessage};

#[derive(RactorMessage)]
#[cluster]
struct Bare;

#[derive(RactorMessage)]
#[cluster()]
struct Empty;

#[derive(RactorMessage)]
#[cluster = "ractor"]
struct Value;

#[derive(RactorMessage)]
#[cluster(path = ractor)]
struct UnknownKey;

#[derive(RactorMessage)]
#[cluster(crate)]
struct NoPath;

#[derive(BytesConvertable)]
#[cluster(crate = "ractor")]
struct Text;

#[derive(BytesConvertable)]
#[cluster(crate = ractor::<u8>)]
struct Arguments;

#[derive(RactorClusterMessage)]
#[cluster(crate = ractor, crate = ractor)]
enum KeyTwice {}

#[derive(RactorClusterMessage)]
#[cluster(crate = ractor)]
#[cluster(crate = ractor)]
enum AttributeTwice {}

fn main() {}
