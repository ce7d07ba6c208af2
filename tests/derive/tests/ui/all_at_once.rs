use ractor::RpcReplyPort;
use shiome_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
#[cluster(path = ractor)]
enum Message<'a> {
    Good(u8),
    #[rpc]
    NoPort(&'a str),
    #[rpc(5)]
    Arguments(RpcReplyPort),
    NoRpc(RpcReplyPort<u8>),
}

fn main() {}
