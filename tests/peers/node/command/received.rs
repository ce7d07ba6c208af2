//! Commands that look at what the test actors got.

use crate::node::Node;
use crate::words::Words;

use super::Answer;

pub async fn run(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    let inbox = &node.inbox;
    match command {
        "wait-received" => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            let enough = inbox.wait(patience, |inbox| (inbox.texts.len() >= count).then_some(()));
            enough
                .await
                .ok_or_else(|| format!("timeout, received {}", texts(node)))?;
            Ok(texts(node))
        }
        "wait-numbered" => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            let enough = inbox.wait(patience, |inbox| {
                (inbox.numbers.count >= count).then_some(())
            });
            enough
                .await
                .ok_or_else(|| format!("timeout, received {}", numbers(node)))?;
            Ok(numbers(node))
        }
        "wait-bulk" => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            let enough = inbox.wait(patience, |inbox| {
                (inbox.bulk >= count).then_some(inbox.bulk)
            });
            let bulk = enough
                .await
                .ok_or_else(|| format!("timeout, received {}", inbox.lock().bulk))?;
            Ok(bulk.to_string())
        }
        "numbered" => Ok(numbers(node)),
        "clear" => {
            let mut inbox = inbox.lock();
            inbox.texts.clear();
            inbox.numbers = Default::default();
            inbox.bulk = 0;
            inbox.held.clear();
            Ok(String::new())
        }
        _ => Ok(texts(node)),
    }
}

/// The calls that wait for an answer.
pub async fn hold(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    if command == "held" {
        let (count, patience) = (words.number("count")?, words.millis()?);
        return node
            .inbox
            .wait(patience, |inbox| {
                (inbox.held.len() >= count).then_some(String::new())
            })
            .await
            .ok_or_else(|| format!("timeout, held: {}", node.inbox.lock().held.len()));
    }
    let held = std::mem::take(&mut node.inbox.lock().held);
    let answered = held
        .into_iter()
        .map(|(text, reply)| reply.send(text))
        .filter(Result::is_ok);
    Ok(answered.count().to_string())
}

fn texts(node: &Node) -> String {
    let inbox = node.inbox.lock();
    let mut words = vec![inbox.texts.len().to_string()];
    words.extend(inbox.texts.iter().cloned());
    words.join(" ")
}

fn numbers(node: &Node) -> String {
    let inbox = node.inbox.lock();
    let last = inbox
        .numbers
        .last
        .map_or_else(|| "-".into(), |last| last.to_string());
    format!(
        "{} out-of-order={} last={last}",
        inbox.numbers.count, inbox.numbers.out_of_order
    )
}
