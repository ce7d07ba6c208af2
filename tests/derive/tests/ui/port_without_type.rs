use ractor::RpcReplyPort;
use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Message {
    #[rpc]
    None(RpcReplyPort),
    #[rpc]
    Empty(RpcReplyPort<>),
    #[rpc]
    Two(RpcReplyPort<u8, u8>),
    #[rpc]
    Lifetime(RpcReplyPort<'static>),
}

fn main() {}
