use shiome_derive::{BytesConvertable, RactorClusterMessage};

#[derive(RactorClusterMessage)]
enum Message<'a> {
    Text(&'a str),
}

#[derive(BytesConvertable)]
struct Value<'a>(&'a [u8]);

fn main() {}
