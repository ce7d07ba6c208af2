use ractor::RpcReplyPort;
use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Message {
    #[rpc(timeout = 5)]
    Arguments(RpcReplyPort<u8>),
    #[rpc()]
    NoArguments(RpcReplyPort<u8>),
    #[rpc = "yes"]
    Value(RpcReplyPort<u8>),
    #[rpc]
    #[rpc]
    Twice(RpcReplyPort<u8>),
}

fn main() {}
