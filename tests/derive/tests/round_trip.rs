//! Every built-in type travels in a cast, in a call's arguments and in its answer.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use proptest::prelude::*;
use ractor::concurrency::oneshot;
use ractor::message::SerializedMessage;
use ractor::{BytesConvertable, Message, RpcReplyPort};
use shiome_derive::RactorClusterMessage;
use shiome_derive_tests::{as_call, as_cast, fields};
use tokio::runtime::Builder;

macro_rules! builtin_types {
    ($($test:ident: $ty:ty,)*) => {$(
        mod $test {
            use super::*;

            #[derive(Debug, RactorClusterMessage)]
            enum Carrier {
                Cast($ty),
                Pair { first: $ty, second: $ty },
                #[rpc]
                Call($ty, RpcReplyPort<$ty>),
            }

            proptest! {
                #[test]
                fn travels(first: $ty, second: $ty) {
                    let bytes = <$ty>::into_bytes(first.clone());
                    let sent = Carrier::Cast(first.clone()).serialize().unwrap();
                    let (_, args) = as_cast(sent).unwrap();
                    prop_assert_eq!(&args, &fields(&[&bytes]));

                    match pass(Carrier::Cast(first.clone())) {
                        Carrier::Cast(got) => prop_assert!(same(&got, &first)),
                        other => prop_assert!(false, "became {other:?}"),
                    }
                    let pair = Carrier::Pair { first: first.clone(), second: second.clone() };
                    match pass(pair) {
                        Carrier::Pair { first: a, second: b } => {
                            prop_assert!(same(&a, &first) && same(&b, &second));
                        }
                        other => prop_assert!(false, "became {other:?}"),
                    }
                    let answer = ask(first.clone(), second.clone());
                    prop_assert!(same(&answer, &second));
                }
            }

            fn pass(message: Carrier) -> Carrier {
                Carrier::deserialize(message.serialize().unwrap()).unwrap()
            }

            /// Sends a call with `question` to the other side and back comes `answer`.
            fn ask(question: $ty, answer: $ty) -> $ty {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let (sender, receiver) = oneshot();
                    let message = Carrier::Call(question.clone(), sender.into());
                    let (variant, args, reply) = as_call(message.serialize().unwrap()).unwrap();
                    let arrived = SerializedMessage::Call { variant, args, reply, metadata: None };
                    match Carrier::deserialize(arrived).unwrap() {
                        Carrier::Call(got, port) if same(&got, &question) => {
                            port.send(answer).unwrap();
                        }
                        other => panic!("became {other:?}"),
                    }
                    receiver.await.unwrap()
                })
            }
        }
    )*};
}

builtin_types! {
    an_i8: i8,
    an_i16: i16,
    an_i32: i32,
    an_i64: i64,
    an_i128: i128,
    a_u8: u8,
    a_u16: u16,
    a_u32: u32,
    a_u64: u64,
    a_u128: u128,
    an_f32: f32,
    an_f64: f64,
    a_unit: (),
    a_bool: bool,
    a_char: char,
    a_string: String,
    i8s: Vec<i8>,
    i16s: Vec<i16>,
    i32s: Vec<i32>,
    i64s: Vec<i64>,
    i128s: Vec<i128>,
    u8s: Vec<u8>,
    u16s: Vec<u16>,
    u32s: Vec<u32>,
    u64s: Vec<u64>,
    u128s: Vec<u128>,
    f32s: Vec<f32>,
    f64s: Vec<f64>,
    bools: Vec<bool>,
    chars: Vec<char>,
}

/// Equal, with floats compared as they print: not-a-number equals itself.
fn same<T: Debug>(a: &T, b: &T) -> bool {
    format!("{a:?}") == format!("{b:?}")
}
