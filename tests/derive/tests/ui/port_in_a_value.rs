use ractor::RpcReplyPort;
use shiome_derive::BytesConvertable;

#[derive(BytesConvertable)]
struct Value {
    number: u8,
    reply: RpcReplyPort<u8>,
}

#[derive(BytesConvertable)]
enum Either {
    Left(RpcReplyPort<u8>),
    Right,
}

fn main() {}
