use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use speed_harness::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::{Client, QUEUE_LEN};
use crate::messages::Payload;

/// One stream in both directions for all callers. Replies come in the order of the calls.
#[derive(Clone)]
pub struct Exchange {
    calls: mpsc::Sender<Payload>,
    waiting: Arc<Mutex<VecDeque<oneshot::Sender<usize>>>>,
}

impl Exchange {
    pub async fn open(client: &mut Client, callers: usize) -> Result<Self, String> {
        let (calls, queue) = mpsc::channel(QUEUE_LEN.max(callers));
        let replies = client.exchange(ReceiverStream::new(queue)).await;
        let mut replies = replies.map_err(|e| e.to_string())?.into_inner();
        let waiting = Arc::new(Mutex::new(VecDeque::<oneshot::Sender<usize>>::new()));
        let exchange = Self {
            calls,
            waiting: Arc::clone(&waiting),
        };
        tokio::spawn(async move {
            while let Ok(Some(reply)) = replies.message().await {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(caller) = waiting.pop_front() {
                    // It may have given up.
                    let _ = caller.send(reply.what.len());
                }
            }
        });
        Ok(exchange)
    }
}

impl Handle for Exchange {
    async fn cast(&mut self, _payload: &[u8]) -> Result<(), String> {
        Err("casts have a stream of their own".to_owned())
    }

    async fn arrived(&mut self) -> Result<u64, String> {
        Ok(0)
    }

    async fn call(&mut self, payload: &[u8]) -> Result<usize, String> {
        let what = payload.to_vec();
        let (caller, reply) = oneshot::channel();
        {
            // Under one lock, so that both queues have the same order.
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = self.calls.try_send(Payload { what });
            sent.map_err(|e| e.to_string())?;
            waiting.push_back(caller);
        }
        reply.await.map_err(|e| e.to_string())
    }
}
