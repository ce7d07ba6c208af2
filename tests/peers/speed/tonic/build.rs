//! The service is described here, so that no schema has to be compiled.

use tonic_build::manual::{Builder, Method, MethodBuilder, Service};

fn main() {
    let method = |name: &str, route: &str, input: &str, output: &str| -> MethodBuilder {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(format!("crate::messages::{input}"))
            .output_type(format!("crate::messages::{output}"))
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Counter")
        .package("speed")
        .method(
            method("put", "Put", "Payload", "Count")
                .client_streaming()
                .build(),
        )
        .method(method("echo", "Echo", "Payload", "Payload").build())
        .method(
            method("exchange", "Exchange", "Payload", "Payload")
                .client_streaming()
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new().compile(&[service]);
}
