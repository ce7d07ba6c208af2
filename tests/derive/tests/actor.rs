//! An actor that gets its messages as bytes.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome_derive::{BytesConvertable, RactorClusterMessage};
use shiome_derive_tests::{call, cast, fields};

struct Counter;

#[derive(RactorClusterMessage)]
enum CounterMessage {
    Add(u32),
    #[rpc]
    Total {
        unit: char,
        reply: RpcReplyPort<Total>,
    },
}

#[derive(BytesConvertable)]
struct Total {
    count: u32,
    unit: char,
}

impl Actor for Counter {
    type Msg = CounterMessage;
    type State = u32;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<CounterMessage>,
        (): (),
    ) -> Result<u32, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<CounterMessage>,
        message: CounterMessage,
        count: &mut u32,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            CounterMessage::Add(more) => *count += more,
            CounterMessage::Total { unit, reply } => {
                let count = *count;
                // The caller may have left.
                drop(reply.send(Total { count, unit }));
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn bad_messages_are_dropped_and_good_ones_served() {
    let (counter, stopped) = Actor::spawn(None, Counter, ()).await.unwrap();
    assert!(counter.get_cell().supports_remoting());
    let send = |message| counter.get_cell().send_serialized(message).unwrap();

    send(cast("Add", &fields(&[&[0, 0, 0, 7]])));
    send(cast("Add", &fields(&[&[0, 0, 7]])));
    send(cast("Substract", &fields(&[&[0, 0, 0, 7]])));
    let (bad, refused) = call("Total", &fields(&[&[0, 0, 0xd8, 0]]));
    send(bad);
    send(cast("Add", &fields(&[&[0, 0, 0, 3]])));
    let (good, answer) = call("Total", &fields(&[&[0, 0, 0, b'g']]));
    send(good);

    assert_eq!(
        answer.await.unwrap(),
        fields(&[&[0, 0, 0, 10], &[0, 0, 0, b'g']])
    );
    assert!(refused.await.is_err());
    counter.stop(None);
    stopped.await.unwrap();
}
