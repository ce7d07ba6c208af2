//! Messages that stay in their process.

use std::marker::PhantomData;

use ractor::{ActorId, Message};
use shiome_derive::RactorMessage;

#[derive(Debug, PartialEq, RactorMessage)]
struct Struct {
    text: &'static str,
}

#[derive(Debug, PartialEq, RactorMessage)]
enum Enum<T: ?Sized, const N: usize>
where
    T: ToString,
{
    Array([u8; N]),
    Boxed(Box<T>),
}

#[derive(Debug, PartialEq, RactorMessage)]
struct Borrowed<'a>(&'a str);

// Send and 'static although `T` need not be.
#[derive(Debug, PartialEq, RactorMessage)]
struct Tag<T>(PhantomData<fn() -> T>);

#[derive(RactorMessage)]
#[allow(dead_code)]
union Union {
    byte: u8,
}

fn arrives_in_its_process<T: Message + PartialEq + std::fmt::Debug>(message: T, same: T) {
    let boxed = message.box_message(&ActorId::Local(1)).expect("stays here");
    assert_eq!(T::from_boxed(boxed), Ok(same));
}

fn never_leaves<T: Message>(message: T) {
    assert!(!T::serializable());
    let remote = ActorId::Remote { node_id: 1, pid: 1 };
    assert!(message.box_message(&remote).is_err());
}

#[test]
fn local_messages_arrive() {
    arrives_in_its_process(Struct { text: "a" }, Struct { text: "a" });
    arrives_in_its_process(Enum::<str, 2>::Array([1, 2]), Enum::Array([1, 2]));
    arrives_in_its_process(Enum::<str, 0>::Boxed("b".into()), Enum::Boxed("b".into()));
    arrives_in_its_process(Borrowed("c"), Borrowed("c"));
    arrives_in_its_process(Tag::<std::rc::Rc<u8>>(PhantomData), Tag(PhantomData));
}

#[test]
fn local_messages_never_leave_their_process() {
    never_leaves(Struct { text: "a" });
    never_leaves(Enum::<str, 2>::Array([1, 2]));
    never_leaves(Borrowed("c"));
    never_leaves(Tag::<u8>(PhantomData));
    never_leaves(Union { byte: 1 });
}
