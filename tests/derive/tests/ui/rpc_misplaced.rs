use ractor::RpcReplyPort;
use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
#[rpc]
enum Message {
    #[rpc]
    Tuple(#[rpc] RpcReplyPort<u8>),
    #[rpc]
    Struct {
        #[rpc]
        reply: RpcReplyPort<u8>,
    },
}

fn main() {}
