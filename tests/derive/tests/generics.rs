//! Messages and values with parameters.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use ractor::concurrency::oneshot;
use ractor::{Message, RpcReplyPort};
use shiome_derive::{BytesConvertable, RactorClusterMessage};
use shiome_derive_tests::{as_cast, call, cast, count_panics, fields};

#[derive(Debug, RactorClusterMessage)]
enum Store<T, E = String, const N: usize = 2>
where
    T: Clone,
{
    Put(T),
    Wrap(Wrapper<T>),
    Fixed(Array<N>),
    #[rpc]
    Take(u8, RpcReplyPort<T>),
    #[rpc]
    Check(T, RpcReplyPort<Failure<E>>),
}

#[derive(Debug, RactorClusterMessage)]
enum Lists<T> {
    One(Vec<T>),
}

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
struct Wrapper<T>(T);

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
enum Failure<E> {
    Why(E),
}

#[derive(Clone, Debug, PartialEq)]
struct Array<const N: usize>([u8; N]);

impl<const N: usize> ractor::BytesConvertable for Array<N> {
    fn into_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.try_into().unwrap())
    }
}

/// Only the associated type travels: the source of it need not.
trait Kind: Send + 'static {
    type Value: Debug;
}

#[derive(Debug)]
struct Heat;

impl Kind for Heat {
    type Value = i16;
}

#[derive(Debug, RactorClusterMessage)]
enum Reading<K: Kind> {
    Short(K::Value),
    Long(<K as Kind>::Value, u8),
}

/// A type that names itself in its fields.
#[derive(Debug, PartialEq, BytesConvertable)]
struct Chain<T>(T, Link<T>);

#[derive(Debug, PartialEq)]
struct Link<T>(Option<Box<Chain<T>>>);

impl<T: ractor::BytesConvertable + 'static> ractor::BytesConvertable for Link<T> {
    fn into_bytes(self) -> Vec<u8> {
        self.0.map_or_else(Vec::new, |chain| chain.into_bytes())
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(Chain::from_bytes(bytes))))
    }
}

fn pass(message: Store<u16>) -> Store<u16> {
    Store::deserialize(message.serialize().unwrap()).unwrap()
}

#[test]
fn parameters_travel() {
    assert!(matches!(pass(Store::Put(7)), Store::Put(7)));
    assert!(matches!(
        pass(Store::Wrap(Wrapper(7))),
        Store::Wrap(Wrapper(7))
    ));
    assert!(matches!(
        pass(Store::Fixed(Array([1, 2]))),
        Store::Fixed(Array([1, 2]))
    ));
    let lists = Lists::One(vec![1_u16, 2]).serialize().unwrap();
    assert!(matches!(Lists::<u16>::deserialize(lists), Ok(Lists::One(list)) if list == [1, 2]));
    let (_, args) = as_cast(Store::<u16>::Wrap(Wrapper(7)).serialize().unwrap()).unwrap();
    assert_eq!(args, fields(&[&fields(&[&[0, 7]])]));
}

#[tokio::test]
async fn parameters_answer() {
    let (message, answer) = call("Take", &fields(&[&[1]]));
    match Store::<u16>::deserialize(message).unwrap() {
        Store::Take(1, port) => port.send(258).unwrap(),
        other => panic!("became {other:?}"),
    }
    assert_eq!(answer.await.unwrap(), [1, 2]);

    let (sender, answer) = oneshot();
    let message = Store::<u16>::Check(1, sender.into());
    let (_, _, port) = shiome_derive_tests::as_call(message.serialize().unwrap()).unwrap();
    port.send(fields(&[b"Why", b"late"])).unwrap();
    assert_eq!(answer.await.unwrap(), Failure::Why("late".to_owned()));
}

#[test]
fn bad_bytes_for_a_parameter_are_refused_without_a_panic() {
    let bad = [
        ("Put", fields(&[&[0]])),
        ("Wrap", fields(&[&fields(&[&[0]])])),
        ("Wrap", fields(&[&[0]])),
    ];
    for (name, args) in bad {
        let (result, panics) = count_panics(|| Store::<u16>::deserialize(cast(name, &args)));
        assert!(result.is_err());
        assert_eq!(panics, 0);
    }
    let text = cast("Put", &fields(&[&[0xff]]));
    let (result, panics) = count_panics(|| Store::<String>::deserialize(text));
    assert!(result.is_err());
    assert_eq!(panics, 0);
}

/// Nothing tells a parameter's derived type from one that was written by hand.
#[test]
fn bad_bytes_for_a_derived_type_in_a_parameter_are_refused() {
    let message = cast("Put", &fields(&[&fields(&[&[0]])]));
    assert!(Store::<Wrapper<u16>>::deserialize(message).is_err());
}

#[test]
fn associated_types_travel() {
    let sent = Reading::<Heat>::Short(-1).serialize().unwrap();
    assert!(matches!(
        Reading::<Heat>::deserialize(sent),
        Ok(Reading::Short(-1))
    ));
    let sent = Reading::<Heat>::Long(-1, 2).serialize().unwrap();
    assert!(matches!(
        Reading::<Heat>::deserialize(sent),
        Ok(Reading::Long(-1, 2))
    ));
}

#[test]
fn types_that_name_themselves_travel() {
    use ractor::BytesConvertable as _;
    let chain = Chain(1_u8, Link(Some(Box::new(Chain(2, Link(None))))));
    let bytes = chain.into_bytes();
    assert_eq!(bytes, fields(&[&[1], &fields(&[&[2], &[]])]));
    let back = Chain::<u8>::from_bytes(bytes);
    assert_eq!(back, Chain(1, Link(Some(Box::new(Chain(2, Link(None)))))));
}
