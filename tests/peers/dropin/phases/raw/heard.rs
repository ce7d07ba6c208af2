//! The actors of the listener, and what they heard.

use ractor::ActorCell;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::actors::{Private, Reading, TextMessage, listener};
use crate::cluster::{join, next};
use crate::phases::round::{Host, stop};
use crate::report::{Checked, Report};
use crate::values::reading;

use super::leave;

pub struct Audience {
    host: Host,
    text: (ActorCell, UnboundedReceiver<TextMessage>),
    reading: (ActorCell, UnboundedReceiver<Reading>),
    private: ActorCell,
}

impl Audience {
    pub async fn start(host: Host) -> Result<Self, String> {
        let text = listener().await?;
        let reading = listener().await?;
        let (private, _) = listener::<Private>().await?;
        join("text", text.0.clone());
        join("reading", reading.0.clone());
        join("private", private.clone());
        Ok(Self {
            host,
            text,
            reading,
            private,
        })
    }

    /// Casts arrive in the order in which they were sent, and nothing else does.
    pub async fn heard(&mut self, report: &mut Report) -> Checked {
        let expected = [
            "nothing".to_owned(),
            "words a b".into(),
            format!("measured {:?} 258", reading()),
            "load 524288".into(),
            "words by hand".into(),
        ];
        for expected in expected {
            report.same("heard", next("cast", &mut self.host.heard).await?, expected)?;
        }
        let text = next("text", &mut self.text.1).await?;
        report.same("heard text", text, TextMessage("潮目".into()))?;
        report.same(
            "heard protobuf",
            next("reading", &mut self.reading.1).await?,
            reading(),
        )?;
        let rest = self.host.heard.try_recv().is_ok() || self.text.1.try_recv().is_ok();
        report.same("heard more", rest, false)
    }

    /// One actor leaves its group and another one stops.
    pub async fn leave(&self) -> Checked {
        leave("text", self.text.0.clone());
        stop(&self.reading.0).await
    }

    pub async fn stop(self) -> Checked {
        stop(&self.text.0).await?;
        stop(&self.private).await?;
        self.host.stop().await
    }
}
