use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
struct Struct(u8);

#[derive(RactorClusterMessage)]
union Union {
    a: u8,
    b: i8,
}

fn main() {}
