mod machine;
mod raw;
mod served;
mod sockets;

use super::pair;
