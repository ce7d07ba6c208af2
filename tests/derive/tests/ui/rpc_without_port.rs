use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Message {
    #[rpc]
    Unit,
    #[rpc]
    EmptyTuple(),
    #[rpc]
    Tuple(u8, String),
    #[rpc]
    Struct { a: u8 },
}

fn main() {}
