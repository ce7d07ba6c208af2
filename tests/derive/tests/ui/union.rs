use shiome_derive::BytesConvertable;

#[derive(BytesConvertable)]
union Union {
    a: u8,
    b: i8,
}

fn main() {}
