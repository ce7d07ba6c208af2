mod gateways;
mod machine;
mod pair;
mod raw;
mod served;
mod sockets;
mod stuck;
