//! `BytesConvertable`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Fields, Path};

use crate::codec;
use crate::parse::attributes::{ractor_path, refuse_misplaced, refuse_on_fields};
use crate::parse::variant::port_segment;
use crate::parse::{Errors, Field, refuse_lifetimes};

/// How deep values of one type may nest. A type that contains itself, through a conversion written by hand, lets the
/// sender choose the depth; this many levels fit into the 2 MiB stack of a runtime's worker.
const MAX_DEPTH: usize = 128;

/// One set of fields, and how to name what it belongs to: `Self`, or `Self::Variant`.
struct Shape {
    constructor: TokenStream,
    /// The name that travels ahead of the fields.
    name: Option<String>,
    fields: Vec<Field>,
}

/// A value of its own, made of other values.
pub(crate) fn value(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    let ractor = ractor_path(input, &mut errors);
    refuse_lifetimes(&input.generics, &mut errors);
    let shapes = shapes(input, &mut errors);
    errors.finish()?;

    let name = &input.ident;
    let types = shapes
        .iter()
        .flat_map(|shape| shape.fields.iter().map(|field| &field.ty));
    let bounds = codec::bounds(&ractor, name, &input.generics, types, &quote!('static));
    let (impl_generics, type_generics, _) = input.generics.split_for_impl();
    let support = codec::support(&ractor);
    let depth = depth();
    let encode = shapes.iter().map(|shape| shape.encode(&ractor));
    let decode = decode(&shapes);
    let refusal = format!("bytes that are no `{name}`");
    Ok(quote! {
        #[doc(hidden)]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, dead_code, deprecated, unused_qualifications)]
        const _: () = {
            #support
            #depth

            #[automatically_derived]
            impl #impl_generics #name #type_generics #bounds {
                #[doc(hidden)]
                pub fn __cluster_decode(
                    bytes: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<Self, &'static str> {
                    let _level = __cluster_enter()?;
                    #decode
                }
            }

            #[automatically_derived]
            impl #impl_generics #ractor::BytesConvertable for #name #type_generics #bounds {
                fn into_bytes(self) -> ::std::vec::Vec<u8> {
                    match self { #(#encode,)* }
                }

                fn from_bytes(bytes: ::std::vec::Vec<u8>) -> Self {
                    match Self::__cluster_decode(bytes) {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(reason) => __cluster_refuse(#refusal, reason),
                    }
                }
            }
        };
    })
}

impl Shape {
    fn new(
        constructor: TokenStream,
        name: Option<String>,
        fields: &Fields,
        errors: &mut Errors,
    ) -> Self {
        refuse_on_fields(fields, errors);
        let fields = Field::all(fields);
        for field in &fields {
            if port_segment(&field.ty).is_some() {
                errors.push(syn::Error::new_spanned(
                    &field.ty,
                    "a reply port is no value: put it into an `#[rpc]` variant of a \
                     `RactorClusterMessage`",
                ));
            }
        }
        Self {
            constructor,
            name,
            fields,
        }
    }

    /// Builds or matches the shape with all its fields.
    fn pattern(&self) -> TokenStream {
        let constructor = &self.constructor;
        let fields = codec::braced(&self.fields);
        quote!(#constructor #fields)
    }

    fn encode(&self, ractor: &Path) -> TokenStream {
        let pattern = self.pattern();
        let head = self
            .name
            .as_ref()
            .map(|name| quote!(::std::convert::Into::into(#name)));
        let bytes = codec::encode(ractor, head, &self.fields);
        quote!(#pattern => #bytes)
    }

    fn decode(&self, bytes: &Ident, start: TokenStream) -> TokenStream {
        let fields = codec::decode(&self.fields, bytes, start);
        let value = self.pattern();
        quote! {
            #fields
            ::core::result::Result::Ok(#value)
        }
    }
}

fn shapes(input: &DeriveInput, errors: &mut Errors) -> Vec<Shape> {
    match &input.data {
        Data::Struct(data) => vec![Shape::new(quote!(Self), None, &data.fields, errors)],
        Data::Enum(data) => variants(data, errors),
        Data::Union(data) => {
            errors.push(syn::Error::new_spanned(
                data.union_token,
                "a union does not say which of its fields is set: make it an enum",
            ));
            Vec::new()
        }
    }
}

fn variants(data: &DataEnum, errors: &mut Errors) -> Vec<Shape> {
    data.variants
        .iter()
        .map(|variant| {
            refuse_misplaced(&variant.attrs, &["rpc", "cluster"], errors);
            let ident = &variant.ident;
            let name = Some(ident.to_string());
            Shape::new(quote!(Self::#ident), name, &variant.fields, errors)
        })
        .collect()
}

fn decode(shapes: &[Shape]) -> TokenStream {
    let bytes = Ident::new("bytes", Span::call_site());
    if let [shape @ Shape { name: None, .. }] = shapes {
        return shape.decode(&bytes, quote!(0));
    }
    let arms = shapes.iter().map(|shape| {
        let name = &shape.name;
        let value = shape.decode(&bytes, quote!(start));
        quote!(#name => { #value })
    });
    quote! {
        let start = __cluster_end(&bytes, 0)?;
        match ::core::str::from_utf8(&bytes[8..start]).unwrap_or("") {
            #(#arms)*
            _ => ::core::result::Result::Err("no such variant"),
        }
    }
}

/// Counts the values of this type that are being decoded on this thread, and leaves `from_bytes` accordingly.
fn depth() -> TokenStream {
    quote! {
        ::std::thread_local! {
            static __CLUSTER_DEPTH: ::core::cell::Cell<usize> = const { ::core::cell::Cell::new(0) };
        }

        struct __ClusterLevel;

        impl ::core::ops::Drop for __ClusterLevel {
            fn drop(&mut self) {
                __CLUSTER_DEPTH.with(|depth| depth.set(depth.get() - 1));
            }
        }

        fn __cluster_enter() -> ::core::result::Result<__ClusterLevel, &'static str> {
            __CLUSTER_DEPTH.with(|depth| {
                if depth.get() == #MAX_DEPTH {
                    return ::core::result::Result::Err("values nest too deep");
                }
                depth.set(depth.get() + 1);
                ::core::result::Result::Ok(__ClusterLevel)
            })
        }

        /// Inside another value of the type, whose decoder catches it, the unwinding is no news for the panic hook.
        fn __cluster_refuse(refusal: &'static str, reason: &'static str) -> ! {
            if __CLUSTER_DEPTH.with(::core::cell::Cell::get) > 0 {
                ::std::panic::resume_unwind(::std::boxed::Box::new(reason));
            }
            ::core::panic!("{}: {}", refusal, reason)
        }
    }
}
