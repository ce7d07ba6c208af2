use std::{collections::BTreeMap, path::Path};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

use super::*;

/// Every message and enum of the schema, by full name.
#[derive(Default)]
struct Proto {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
}

impl Proto {
    fn read() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
        let set = protox::compile(["meta.proto"], [dir]).unwrap();
        let mut all = Self::default();
        for file in set.file {
            let package = file.package().to_owned();
            for message in file.message_type {
                all.add(&package, message);
            }
        }
        all
    }

    fn add(&mut self, scope: &str, message: DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.enum_type {
            let nested_name = format!("{name}.{}", nested.name());
            self.enums.insert(nested_name, nested.clone());
        }
        self.messages.insert(name, message);
    }
}

fn is_as_declared(proto: &Proto, entry: &Entry, declared: &FieldDescriptorProto) -> bool {
    let named = declared.type_name().trim_start_matches('.');
    let repeated = declared.label() == Label::Repeated;
    match (&entry.kind, declared.r#type()) {
        (Uint64 | Bits(_), Type::Uint64) => !repeated,
        (Uint64s, Type::Uint64) => repeated,
        (Uint32, Type::Uint32)
        | (Int64, Type::Int64)
        | (Int32, Type::Int32)
        | (Bool, Type::Bool)
        | (Text, Type::String)
        | (Bytes | Encoded(_), Type::Bytes) => !repeated,
        (Enum(names), Type::Enum) => {
            let values = &proto.enums[named].value;
            let declared = values.iter().map(|value| (value.number(), value.name()));
            declared.eq((0..).zip(names.iter().copied()))
        }
        (Message(schema), Type::Message) => named == schema.name,
        _ => false,
    }
}

fn check(proto: &Proto, schema: &'static Schema, checked: &mut Vec<&'static str>) {
    if checked.contains(&schema.name) {
        return;
    }
    checked.push(schema.name);
    let declared = &proto.messages[schema.name].field;
    assert_eq!(schema.fields.len(), declared.len(), "{}", schema.name);
    for (entry, field) in schema.fields.iter().zip(declared) {
        let number = u64::try_from(field.number()).unwrap();
        assert_eq!(
            (entry.number, entry.name),
            (number, field.name()),
            "{}",
            schema.name
        );
        assert!(
            is_as_declared(proto, entry, field),
            "{}.{}",
            schema.name,
            entry.name
        );
        if let Message(inner) | Encoded(inner) = entry.kind {
            check(proto, inner, checked);
        }
    }
}

#[test]
fn the_schema_is_that_of_the_proto_files() {
    let proto = Proto::read();
    let mut checked = Vec::new();
    check(&proto, &NETWORK_MESSAGE, &mut checked);
    let unknown: Vec<_> = proto
        .messages
        .keys()
        .filter(|name| !checked.contains(&name.as_str()))
        .filter(|name| !name.starts_with("google."))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?} cannot be reached");
}

#[test]
fn bits_of_capabilities_have_their_names() {
    let Some(Entry {
        kind: Bits(names), ..
    }) = HELLO.field(3)
    else {
        panic!("capabilities are field 3");
    };
    let all = shiome::wire::Capabilities::ALL.bits();
    assert_eq!(names.len(), all.count_ones() as usize);
}
