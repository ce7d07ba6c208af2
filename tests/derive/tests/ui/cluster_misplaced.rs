use shiome_derive::{BytesConvertable, RactorClusterMessage};

#[derive(RactorClusterMessage)]
enum Message {
    #[cluster(crate = ractor)]
    Variant(#[cluster(crate = ractor)] u8),
}

#[derive(BytesConvertable)]
struct Value {
    #[cluster(crate = ractor)]
    number: u8,
}

fn main() {}
