use ractor::RpcReplyPort;
use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Message {
    Tuple(u8, RpcReplyPort<u8>),
    Struct { reply: ractor::RpcReplyPort<u8> },
}

fn main() {}
