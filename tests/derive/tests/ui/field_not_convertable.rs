use ractor::RpcReplyPort;
use shiome_derive::{BytesConvertable, RactorClusterMessage};

struct Opaque;

#[derive(RactorClusterMessage)]
enum Message {
    Cast(Opaque),
    #[rpc]
    Call(usize, RpcReplyPort<Option<u8>>),
}

#[derive(BytesConvertable)]
struct Value {
    list: Vec<String>,
}

fn main() {}
