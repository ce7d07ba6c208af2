//! Values with `#[derive(BytesConvertable)]`: their bytes, and what happens to bytes that are none.

use std::fmt::Debug;

use proptest::prelude::*;
use ractor::{BytesConvertable as _, Message};
use shiome_derive::{BytesConvertable, RactorClusterMessage};
use shiome_derive_tests::{as_cast, cast, count_panics, fields};

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
struct Named {
    y: u16,
    x: String,
}

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
struct Tuple(bool, Vec<u32>);

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
struct Unit;

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
struct Empty {}

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
enum Shape {
    Point,
    Circle(f64),
    Label { at: Named, with: Tuple },
}

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
enum Never {}

#[derive(Clone, Debug, PartialEq, BytesConvertable)]
struct Sized<const N: u8>(u8);

fn travels<T>(value: T, bytes: &str)
where
    T: ractor::BytesConvertable + Clone + PartialEq + Debug,
{
    let encoded = value.clone().into_bytes();
    assert_eq!(hex::encode(&encoded), bytes.replace(' ', ""));
    assert_eq!(T::from_bytes(encoded), value);
}

#[test]
fn structs_are_their_fields() {
    let named = Named {
        y: 258,
        x: "a".into(),
    };
    travels(named, "0000000000000002 0102 0000000000000001 61");
    travels(
        Tuple(true, vec![1]),
        "0000000000000001 01 0000000000000004 00000001",
    );
    travels(Unit, "");
    travels(Empty {}, "");
    travels(Sized::<4>(1), "0000000000000001 01");
}

#[test]
fn enums_are_their_variants_name_then_its_fields() {
    travels(Shape::Point, "0000000000000005 506f696e74");
    travels(
        Shape::Circle(1.0),
        "0000000000000006 436972636c65 0000000000000008 3ff0000000000000",
    );
    let label = Shape::Label {
        at: Named {
            y: 1,
            x: String::new(),
        },
        with: Tuple(false, vec![]),
    };
    travels(
        label,
        "0000000000000005 4c6162656c \
         0000000000000012 00000000000000020001 0000000000000000 \
         0000000000000011 000000000000000100 0000000000000000",
    );
}

proptest! {
    #[test]
    fn any_value_travels(y: u16, x: String, flag: bool, list: Vec<u32>) {
        let value = Shape::Label { at: Named { y, x }, with: Tuple(flag, list) };
        prop_assert_eq!(Shape::from_bytes(value.clone().into_bytes()), value);
    }
}

#[test]
fn a_value_is_a_message_of_its_own() {
    let message = Shape::Point.serialize().unwrap();
    assert_eq!(
        as_cast(message).unwrap(),
        (String::new(), fields(&[b"Point"]))
    );
    let arrived = Shape::deserialize(cast("", &fields(&[b"Point"])));
    assert_eq!(arrived.unwrap(), Shape::Point);
}

#[test]
#[should_panic(expected = "bytes that are no `Named`: bytes are left over after the last field")]
fn bad_bytes_given_directly_panic_with_a_reason() {
    Named::from_bytes(fields(&[&[0; 2], b"a", b"more"]));
}

#[test]
#[should_panic(expected = "bytes that are no `Shape`: no such variant")]
fn unknown_variants_given_directly_panic_with_a_reason() {
    Shape::from_bytes(fields(&[b"Square"]));
}

#[test]
#[should_panic(expected = "bytes that are no `Never`: no such variant")]
fn nothing_is_a_value_of_an_empty_enum() {
    Never::from_bytes(fields(&[b"Never"]));
}

/// A type that contains itself, by a conversion that its author wrote.
#[derive(Debug, PartialEq, BytesConvertable)]
enum Tree {
    Leaf,
    Node(Box<Self>, Vec<u8>),
}

impl ractor::BytesConvertable for Box<Tree> {
    fn into_bytes(self) -> Vec<u8> {
        (*self).into_bytes()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::new(Tree::from_bytes(bytes))
    }
}

#[derive(Debug, PartialEq, RactorClusterMessage)]
enum Planter {
    Plant(Tree),
}

fn tree_bytes(depth: usize) -> Vec<u8> {
    (0..depth).fold(fields(&[b"Leaf"]), |inner, _| {
        fields(&[b"Node", &inner, &[7]])
    })
}

fn depth_of(mut tree: &Tree) -> usize {
    let mut depth = 0;
    while let Tree::Node(inner, _) = tree {
        depth += 1;
        tree = inner;
    }
    depth
}

#[test]
fn values_nest() {
    let message = cast("Plant", &fields(&[&tree_bytes(100)]));
    let Planter::Plant(tree) = Planter::deserialize(message).unwrap();
    assert_eq!(depth_of(&tree), 100);
    let (_, bytes) = as_cast(Planter::Plant(tree).serialize().unwrap()).unwrap();
    assert_eq!(bytes, fields(&[&tree_bytes(100)]));
}

#[test]
fn bytes_that_nest_too_deep_are_refused_before_the_stack_ends() {
    let bomb = cast("Plant", &fields(&[&tree_bytes(5_000)]));
    let decode = || count_panics(|| Planter::deserialize(bomb).is_err());
    // As much stack as a runtime gives to its workers.
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let (refused, panics) = worker.spawn(decode).unwrap().join().unwrap();
    assert!(refused);
    assert_eq!(panics, 0);
}

#[test]
fn values_nest_up_to_the_limit() {
    let plant = |nodes| Planter::deserialize(cast("Plant", &fields(&[&tree_bytes(nodes)])));
    // The leaf counts.
    assert!(plant(127).is_ok());
    assert!(plant(128).is_err());
}

#[test]
fn the_depth_is_counted_anew_for_each_message() {
    for _ in 0..3 {
        let bomb = cast("Plant", &fields(&[&tree_bytes(200)]));
        assert!(Planter::deserialize(bomb).is_err());
        let good = cast("Plant", &fields(&[&tree_bytes(3)]));
        assert!(Planter::deserialize(good).is_ok());
    }
}
