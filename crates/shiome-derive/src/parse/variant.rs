//! Variants of a message: casts, and calls with their reply port.

use proc_macro2::Ident;
use syn::{GenericArgument, PathArguments, PathSegment, Type};

use super::{Errors, Field, attributes, plain};

const PORT: &str = "RpcReplyPort";

/// A variant of a message.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    /// The fields that travel, in declaration order.
    pub(crate) data: Vec<Field>,
    /// Where the answer goes; a variant without one is a cast.
    pub(crate) port: Option<Port>,
}

/// The reply port of a call, which does not travel.
pub(crate) struct Port {
    pub(crate) field: Field,
    /// `T` of `RpcReplyPort<T>`.
    pub(crate) reply: Type,
}

impl Variant {
    pub(crate) fn parse(variant: &syn::Variant, errors: &mut Errors) -> Self {
        attributes::refuse_misplaced(&variant.attrs, &["cluster"], errors);
        attributes::refuse_on_fields(&variant.fields, errors);
        let is_rpc = attributes::is_rpc(&variant.attrs, errors);

        let (ports, data): (Vec<_>, Vec<_>) = Field::all(&variant.fields)
            .into_iter()
            .partition(|field| port_segment(&field.ty).is_some());
        let port = if is_rpc {
            only_port(variant, ports, errors)
        } else {
            refuse_ports(variant, &ports, errors);
            None
        };
        Self {
            ident: variant.ident.clone(),
            data,
            port,
        }
    }

    /// The name that travels: the variant's, as written.
    pub(crate) fn name(&self) -> String {
        self.ident.to_string()
    }
}

/// The segment `RpcReplyPort<..>` when `ty` is a reply port.
pub(crate) fn port_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = plain(ty) else {
        return None;
    };
    path.path
        .segments
        .last()
        .filter(|segment| segment.ident == PORT)
}

fn only_port(variant: &syn::Variant, ports: Vec<Field>, errors: &mut Errors) -> Option<Port> {
    let mut ports = ports.into_iter();
    let Some(field) = ports.next() else {
        let name = &variant.ident;
        errors.push(syn::Error::new_spanned(
            name,
            format!(
                "`#[rpc]` on `{name}`, which has no reply port: add a field of type \
                 `RpcReplyPort<Reply>`, or remove `#[rpc]` to make it a cast"
            ),
        ));
        return None;
    };
    for extra in ports {
        errors.push(syn::Error::new_spanned(
            &extra.ty,
            "a second reply port: a call has one answer, remove this field",
        ));
    }
    let reply = errors.keep(reply_type(&field.ty))?;
    Some(Port { field, reply })
}

fn refuse_ports(variant: &syn::Variant, ports: &[Field], errors: &mut Errors) {
    for port in ports {
        errors.push(syn::Error::new_spanned(
            &port.ty,
            format!(
                "a reply port in `{name}`, which is a cast: put `#[rpc]` on `{name}`, \
                 or remove this field",
                name = variant.ident
            ),
        ));
    }
}

fn reply_type(port: &Type) -> syn::Result<Type> {
    let arguments = port_segment(port).map(|segment| &segment.arguments);
    if let Some(PathArguments::AngleBracketed(arguments)) = arguments
        && let Some(GenericArgument::Type(reply)) = arguments.args.first()
        && arguments.args.len() == 1
    {
        return Ok(reply.clone());
    }
    Err(syn::Error::new_spanned(
        port,
        "the reply's type is missing: write `RpcReplyPort<Reply>`, \
         `RpcReplyPort<()>` for an answer without a value",
    ))
}
