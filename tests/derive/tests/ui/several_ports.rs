use ractor::RpcReplyPort;
use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Message {
    #[rpc]
    Tuple(RpcReplyPort<u8>, u8, RpcReplyPort<u16>),
    #[rpc]
    Struct {
        first: RpcReplyPort<u8>,
        second: ractor::RpcReplyPort<u8>,
        third: ractor::port::RpcReplyPort<u8>,
    },
}

fn main() {}
