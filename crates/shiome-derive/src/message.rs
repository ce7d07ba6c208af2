//! `RactorMessage` and `RactorClusterMessage`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Generics, Path, Type};

use crate::parse::attributes::{Paths, paths, ractor_path, refuse_misplaced};
use crate::parse::variant::{Port, Variant};
use crate::parse::{Errors, refuse_lifetimes};
use crate::{bridge, codec};

/// A message that stays in its process.
pub(crate) fn local(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    let ractor = ractor_path(input, &mut errors);
    errors.finish()?;

    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        generics
            .make_where_clause()
            .predicates
            .push(syn::parse_quote!(Self: ::core::marker::Send + ::core::marker::Sized + 'static));
    }
    let name = &input.ident;
    let (impl_generics, type_generics, bounds) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #ractor::Message for #name #type_generics #bounds {}
    })
}

/// A message that crosses the cluster.
pub(crate) fn cluster(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    let Paths { ractor, trace } = paths(input, &mut errors);
    refuse_misplaced(&input.attrs, &["rpc"], &mut errors);
    refuse_lifetimes(&input.generics, &mut errors);
    let variants = variants(input, &mut errors);
    errors.finish()?;

    let name = &input.ident;
    let types = variants.iter().flat_map(Variant::types);
    let extra = quote!(::core::marker::Send + 'static);
    let bounds = codec::bounds(&ractor, name, &input.generics, types, &extra);
    let (impl_generics, type_generics, _) = input.generics.split_for_impl();
    let support = codec::support(&ractor);
    let bridge = variants
        .iter()
        .any(|variant| variant.port.is_some())
        .then(|| bridge::bridge(&ractor));
    let learn = trace.as_ref().and_then(|path| learn(path, &input.generics));
    let serialize = serialize(&ractor, trace.as_ref(), &variants);
    let deserialize = deserialize(&ractor, &variants);
    Ok(quote! {
        #[doc(hidden)]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, dead_code, deprecated, unused_qualifications)]
        const _: () = {
            #support
            #bridge

            #[automatically_derived]
            impl #impl_generics #ractor::Message for #name #type_generics #bounds {
                fn serializable() -> bool {
                    #learn
                    true
                }
                #serialize
                #deserialize
            }
        };
    })
}

/// Makes the type known, which `ractor` asks for this when it starts an actor that takes it. Instances of a type with
/// parameters would share what knows that it has been done.
fn learn(path: &Path, generics: &Generics) -> Option<TokenStream> {
    let has_parameters =
        generics.type_params().next().is_some() || generics.const_params().next().is_some();
    (!has_parameters).then(|| {
        quote! {
            static LEARNED: ::std::sync::Once = ::std::sync::Once::new();
            LEARNED.call_once(#path::trace::learn::<Self>);
        }
    })
}

impl Variant {
    fn types(&self) -> impl Iterator<Item = &Type> {
        let reply = self.port.iter().map(|port| &port.reply);
        self.data.iter().map(|field| &field.ty).chain(reply)
    }

    /// Builds or matches the variant with all its fields.
    fn pattern(&self) -> TokenStream {
        let ident = &self.ident;
        let port = self.port.iter().map(|port| &port.field);
        let fields = codec::braced(self.data.iter().chain(port));
        quote!(Self::#ident #fields)
    }
}

fn variants(input: &DeriveInput, errors: &mut Errors) -> Vec<Variant> {
    let Data::Enum(data) = &input.data else {
        errors.push(syn::Error::new_spanned(
            &input.ident,
            format!(
                "`RactorClusterMessage` is for enums, one variant per message: make `{name}` a \
                 variant's field, or derive `BytesConvertable` to send `{name}` itself as a cast",
                name = input.ident
            ),
        ));
        return Vec::new();
    };
    data.variants
        .iter()
        .map(|variant| Variant::parse(variant, errors))
        .collect()
}

fn serialize(ractor: &Path, trace: Option<&Path>, variants: &[Variant]) -> TokenStream {
    let metadata = match trace {
        Some(path) => quote!(#path::trace::metadata()),
        None => quote!(::core::option::Option::None),
    };
    let arms = variants.iter().map(|variant| {
        let pattern = variant.pattern();
        let name = variant.name();
        let args = codec::encode(ractor, None, &variant.data);
        let (kind, reply) = match &variant.port {
            None => (quote!(Cast), None),
            Some(Port { field, reply }) => {
                let port = &field.binding;
                let decoder = codec::decoder(reply);
                let bridged = quote!(reply: __cluster_bridge(#port, __cluster_is_long, #decoder),);
                (quote!(Call), Some(bridged))
            }
        };
        quote! {
            #pattern => #ractor::message::SerializedMessage::#kind {
                variant: ::std::borrow::ToOwned::to_owned(#name),
                args: #args,
                #reply
                metadata: #metadata,
            }
        }
    });
    quote! {
        fn serialize(
            self,
        ) -> ::core::result::Result<
            #ractor::message::SerializedMessage,
            #ractor::message::BoxedDowncastErr,
        > {
            __cluster_catch(move || -> #ractor::message::SerializedMessage {
                match self { #(#arms,)* }
            })
            .map_err(|_| #ractor::message::BoxedDowncastErr)
        }
    }
}

fn deserialize(ractor: &Path, variants: &[Variant]) -> TokenStream {
    let casts = variants.iter().filter(|variant| variant.port.is_none());
    let calls = variants.iter().filter(|variant| variant.port.is_some());
    let casts = decode_by_name(ractor, casts);
    let calls = decode_by_name(ractor, calls);
    quote! {
        fn deserialize(
            message: #ractor::message::SerializedMessage,
        ) -> ::core::result::Result<Self, #ractor::message::BoxedDowncastErr> {
            let decode = move || -> ::core::result::Result<Self, &'static str> {
                match message {
                    #ractor::message::SerializedMessage::Cast { variant, args, .. } => #casts,
                    #ractor::message::SerializedMessage::Call { variant, args, reply, .. } => #calls,
                    _ => ::core::result::Result::Err("neither a cast nor a call"),
                }
            };
            decode().map_err(|_| #ractor::message::BoxedDowncastErr)
        }
    }
}

/// An expression that reads the variant named `variant` from `args`, with the reply port `reply` if it is a call.
fn decode_by_name<'a>(ractor: &Path, variants: impl Iterator<Item = &'a Variant>) -> TokenStream {
    let args = Ident::new("args", Span::call_site());
    let arms = variants.map(|variant| {
        let name = variant.name();
        let fields = codec::decode(&variant.data, &args, quote!(0));
        let port = variant.port.as_ref().map(|Port { field, reply }| {
            let port = &field.binding;
            quote! {
                let #port = __cluster_catch(|| __cluster_bridge(reply, |_| false, |answer: #reply| {
                    __cluster_catch(|| <#reply as #ractor::BytesConvertable>::into_bytes(answer))
                }))?;
            }
        });
        let value = variant.pattern();
        quote! {
            #name => {
                #fields
                #port
                ::core::result::Result::Ok(#value)
            }
        }
    });
    quote! {
        match variant.as_str() {
            #(#arms)*
            _ => ::core::result::Result::Err("no such variant of this kind"),
        }
    }
}
