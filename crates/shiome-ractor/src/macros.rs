//! Macros for messages that cross the cluster.

/// Implements [`BytesConvertable`](crate::BytesConvertable) for a protobuf message, a type that implements
/// `prost::Message` and `Default`.
///
/// The bytes are the message's length as protobuf varint, then the message. The crate `prost` of the caller is used,
/// under that name.
///
/// Bytes that are no such message end in a dropped message or call where the type is an argument or reply of a
/// message made with [`RactorClusterMessage`](crate::RactorClusterMessage).
///
/// # Panics
///
/// A direct call of `from_bytes` panics on such bytes: the trait has no other way to refuse.
#[macro_export]
macro_rules! derive_serialization_for_prost_type {
    ($ty:ty) => {
        impl $crate::BytesConvertable for $ty {
            fn into_bytes(self) -> ::std::vec::Vec<u8> {
                ::prost::Message::encode_length_delimited_to_vec(&self)
            }

            fn from_bytes(bytes: ::std::vec::Vec<u8>) -> Self {
                <$ty as ::prost::Message>::decode_length_delimited(bytes.as_slice())
                    .expect("bytes are a length-delimited protobuf message of this type")
            }
        }

        impl $ty {
            /// What the derived messages decode with: as `from_bytes`, but bad bytes are an error.
            #[doc(hidden)]
            pub fn __cluster_decode(
                bytes: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<Self, &'static str> {
                <$ty as ::prost::Message>::decode_length_delimited(bytes.as_slice())
                    .map_err(|_| "not a length-delimited protobuf message of this type")
            }
        }
    };
}
