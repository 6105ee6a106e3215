//! Commits that a chat waits for, many at once.
//!
//! An actor polls all futures of its context whenever one of them, or mail, wakes it: with a hundred
//! commits under way that would be most of what a chat does. Here only those are polled that were
//! woken. Bounded by the places of the chat.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

/// The commits under way. Its clone is the stream of their outcomes, in the order in which they come,
/// which never ends.
pub(super) struct Errands<T> {
    inner: Rc<Inner<T>>,
}

struct Inner<T> {
    under_way: RefCell<FuturesUnordered<LocalBoxFuture<'static, T>>>,
    /// Wakes whoever reads the stream.
    reader: RefCell<Option<Waker>>,
}

impl<T> Errands<T> {
    pub(super) fn new() -> Self {
        Self { inner: Rc::new(Inner { under_way: RefCell::default(), reader: RefCell::default() }) }
    }

    /// Begins one more.
    pub(super) fn send(&self, errand: impl Future<Output = T> + 'static) {
        self.inner.under_way.borrow_mut().push(Box::pin(errand));
        if let Some(reader) = self.inner.reader.borrow_mut().take() {
            reader.wake();
        }
    }
}

impl<T> Clone for Errands<T> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<T> Stream for Errands<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.inner.under_way.borrow_mut().poll_next_unpin(cx) {
            Poll::Ready(Some(outcome)) => Poll::Ready(Some(outcome)),
            Poll::Ready(None) | Poll::Pending => {
                self.inner.reader.borrow_mut().replace(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    use futures_util::future::{join, poll_fn};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn only_what_was_woken_is_polled_and_nothing_is_forgotten() {
        let errands = Errands::new();
        let (mut outcomes, polls) = (errands.clone(), Rc::new(Cell::new(0)));
        let mut replies = Vec::new();
        for number in 0..100 {
            let (reply, mut answer) = oneshot::channel::<()>();
            let counted = Rc::clone(&polls);
            replies.push(reply);
            errands.send(async move {
                poll_fn(|cx| {
                    counted.set(counted.get() + 1);
                    Pin::new(&mut answer).poll(cx)
                })
                .await
                .map(|()| number)
            });
        }
        let answer = async {
            for reply in replies {
                tokio::task::yield_now().await;
                reply.send(()).expect("somebody waits");
            }
            tokio::task::yield_now().await;
            // One that is sent while the reader sleeps.
            errands.send(async { Ok(100) });
        };
        let read = async {
            for number in 0..=100 {
                assert_eq!(outcomes.next().await, Some(Ok(number)));
            }
        };
        join(read, answer).await;
        assert_eq!(polls.get(), 200);
    }
}
