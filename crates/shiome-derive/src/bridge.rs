//! Answers on their way between two reply ports.
//!
//! The port that a caller has given takes a value, and that which travels takes bytes. What joins them is no task: it is
//! the waker of the receiver between them, and runs where the answer is given. So an answer is encoded by the actor that
//! gives it, and decoded by the link that it came by; a long one is decoded in a task of its own, which the link does not
//! wait for.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

/// How long ports outlive their timeout in ms, so that a caller whose own timer runs out at the same moment sees a
/// timeout and not a dropped port.
const GRACE_MS: u64 = 10;

/// Bytes of an answer that are decoded in a task of their own.
const LONG_LEN: usize = 16 * 1024;

/// `__cluster_bridge`, which joins two ports, and what it needs.
pub(crate) fn bridge(ractor: &Path) -> TokenStream {
    let join = join(ractor);
    let carrier = carrier(ractor);
    quote! {
        #join
        #carrier

        fn __cluster_is_long(answer: &::std::vec::Vec<u8>) -> bool {
            answer.len() >= #LONG_LEN
        }
    }
}

fn join(ractor: &Path) -> TokenStream {
    quote! {
        /// A port whose answer goes to `port` through `convert`, in a task of its own if `is_long`. Both are dropped when
        /// there is no answer, when it does not convert, or when it is late. Panics where a port has a timeout and no
        /// runtime has a clock for it.
        fn __cluster_bridge<Given, Wanted>(
            port: #ractor::RpcReplyPort<Wanted>,
            is_long: fn(&Given) -> bool,
            convert: fn(Given) -> ::core::result::Result<Wanted, &'static str>,
        ) -> #ractor::RpcReplyPort<Given>
        where
            Given: ::core::marker::Send + 'static,
            Wanted: ::core::marker::Send + 'static,
        {
            use ::std::boxed::Box;
            use ::std::prelude::rust_2021::*;
            use #ractor::concurrency;
            let (sender, receiver) = concurrency::oneshot::<Given>();
            let limit = port.get_timeout();
            let alarm = limit.map(|limit| {
                let patience = limit.saturating_add(concurrency::Duration::from_millis(#GRACE_MS));
                __ClusterAlarm {
                    // A clock that does not go that far never gets there.
                    late: concurrency::Instant::now().checked_add(patience),
                    sleep: Box::pin(concurrency::sleep(patience)),
                }
            });
            __ClusterCarrier { receiver, port, alarm, is_long, convert }.wait();
            match limit {
                Some(limit) => (sender, limit).into(),
                None => sender.into(),
            }
        }
    }
}

fn carrier(ractor: &Path) -> TokenStream {
    let ways = ways();
    quote! {
        struct __ClusterAlarm {
            late: ::core::option::Option<#ractor::concurrency::Instant>,
            sleep: ::core::pin::Pin<
                ::std::boxed::Box<dyn ::core::future::Future<Output = ()> + ::core::marker::Send>,
            >,
        }

        impl __ClusterAlarm {
            /// By the clock alone: one that the runtime takes along when it ends must not be polled again.
            fn is_over(&self) -> bool {
                self.late.is_some_and(|late| #ractor::concurrency::Instant::now() >= late)
            }
        }

        /// What carries an answer from one port to the other.
        struct __ClusterCarrier<Given, Wanted> {
            receiver: #ractor::concurrency::OneshotReceiver<Given>,
            port: #ractor::RpcReplyPort<Wanted>,
            alarm: ::core::option::Option<__ClusterAlarm>,
            is_long: fn(&Given) -> bool,
            convert: fn(Given) -> ::core::result::Result<Wanted, &'static str>,
        }

        /// Where a carrier waits for the answer, with nothing but what wakes it.
        struct __ClusterStop<Given, Wanted>(::std::sync::Mutex<__ClusterAt<Given, Wanted>>);

        enum __ClusterAt<Given, Wanted> {
            /// Not there yet.
            Coming,
            /// Not there yet, and has been called.
            Called,
            There(__ClusterCarrier<Given, Wanted>),
            Gone,
        }

        #ways

        impl<Given, Wanted> __ClusterCarrier<Given, Wanted>
        where
            Given: ::core::marker::Send + 'static,
            Wanted: ::core::marker::Send + 'static,
        {
            fn deliver(self, answer: Given) {
                use ::std::prelude::rust_2021::*;
                if let Ok(answer) = (self.convert)(answer) {
                    // The caller may have left.
                    drop(self.port.send(answer));
                }
            }

            fn deliver_in_task(self, answer: Given) {
                use ::std::prelude::rust_2021::*;
                drop(#ractor::concurrency::spawn(async move { self.deliver(answer) }));
            }

            /// Waits as other futures do.
            fn wait_in_task(mut self) {
                use ::std::prelude::rust_2021::*;
                drop(#ractor::concurrency::spawn(async move {
                    let came = ::core::future::poll_fn(|cx| self.poll(cx)).await;
                    came.map(|answer| self.deliver(answer))
                }));
            }
        }
    }
}

/// How a carrier comes to its stop, and goes on.
fn ways() -> TokenStream {
    quote! {
        impl<Given, Wanted> __ClusterCarrier<Given, Wanted>
        where
            Given: ::core::marker::Send + 'static,
            Wanted: ::core::marker::Send + 'static,
        {
            /// Goes to where it waits.
            fn wait(mut self) {
                use ::core::task::{Context, Poll, Waker};
                use ::std::prelude::rust_2021::*;
                use ::std::sync::{Arc, Mutex};
                let stop = Arc::new(__ClusterStop(Mutex::new(__ClusterAt::Coming)));
                let waker = Waker::from(Arc::clone(&stop));
                if let Poll::Ready(came) = self.poll(&mut Context::from_waker(&waker)) {
                    return came.map(|answer| self.deliver(answer)).unwrap_or_default();
                }
                let mut at = stop.lock();
                match *at {
                    // Who has had its share of a thread is called at once, with nothing to carry.
                    __ClusterAt::Called => {
                        drop(at);
                        self.wait_in_task();
                    }
                    _ => *at = __ClusterAt::There(self),
                }
            }

            /// The answer; `None` if there will be none.
            fn poll(
                &mut self,
                cx: &mut ::core::task::Context<'_>,
            ) -> ::core::task::Poll<::core::option::Option<Given>> {
                use ::core::{future::Future as _, pin::Pin, task::Poll};
                use ::std::prelude::rust_2021::*;
                if let Poll::Ready(came) = Pin::new(&mut self.receiver).poll(cx) {
                    return Poll::Ready(came.ok());
                }
                match &mut self.alarm {
                    Some(alarm) => alarm.sleep.as_mut().poll(cx).map(|()| None),
                    None => Poll::Pending,
                }
            }

            /// Goes on when it is called: with the answer, or because there will be none. Polls nothing: who calls may not
            /// be able to take another call.
            fn go(mut self) {
                use ::std::prelude::rust_2021::*;
                if let Ok(answer) = self.receiver.try_recv() {
                    return if (self.is_long)(&answer) {
                        self.deliver_in_task(answer)
                    } else {
                        self.deliver(answer)
                    };
                }
                let is_late = self.alarm.as_ref().is_some_and(__ClusterAlarm::is_over);
                // Called for nothing, such as by a runtime whose tasks have had their share when it set off. In a task it
                // will be called again.
                if !is_late && !self.receiver.is_terminated() {
                    self.wait_in_task();
                }
            }
        }

        impl<Given, Wanted> __ClusterStop<Given, Wanted> {
            fn lock(&self) -> ::std::sync::MutexGuard<'_, __ClusterAt<Given, Wanted>> {
                self.0.lock().unwrap_or_else(::std::sync::PoisonError::into_inner)
            }
        }

        impl<Given, Wanted> ::std::task::Wake for __ClusterStop<Given, Wanted>
        where
            Given: ::core::marker::Send + 'static,
            Wanted: ::core::marker::Send + 'static,
        {
            fn wake(self: ::std::sync::Arc<Self>) {
                use ::std::prelude::rust_2021::*;
                let mut at = self.lock();
                let carrier = match ::core::mem::replace(&mut *at, __ClusterAt::Gone) {
                    __ClusterAt::There(carrier) => carrier,
                    __ClusterAt::Gone => return,
                    _ => return *at = __ClusterAt::Called,
                };
                drop(at);
                // A value that panics must not harm who has woken this.
                drop(__cluster_catch(|| carrier.go()));
            }
        }
    }
}
