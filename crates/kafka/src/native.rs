//! librdkafka without its binding: what the binding has no safe call for. The one place of this
//! crate that needs `unsafe`.
//!
//! Two things are done here. Records are taken a thousand at a time from each partition's own queue
//! (the binding hands out one by one, at twice the cost, and knows no partition without a group).
//! And topics are asked for their identity and settings, and made, with the broker's own words when
//! it refuses (`admin`, below, whose `unsafe` is allowed here).
//!
//! What keeps it sound: whatever is made from a client ([`Handle`]) borrows or owns it; every
//! pointer that librdkafka gives away has one owner here, whose `Drop` gives it back; what it lends
//! (parts of a message, of an event) is copied before its owner goes. Its calls are for any thread.
#![allow(unsafe_code)]

mod admin;

use std::{
    ffi::{CStr, CString, c_char},
    ptr, slice,
};

use alluvium_flow::Headers;
use rdkafka::{
    bindings::*,
    consumer::{BaseConsumer, Consumer},
};

pub(crate) use self::admin::{Described, configs, create, describe, group_rights};
use crate::{context::ReadContext, failure::Refusal};

/// A client that reads and asks. It has no group.
pub(crate) type Handle = BaseConsumer<ReadContext>;

/// Messages taken by one call.
const MESSAGES_MAX: usize = 1000;

/// What a partition's queue holds.
pub(crate) enum Taken<'a> {
    /// A record.
    Record {
        offset: u64,
        time: i64,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: Headers<'a>,
    },
    /// There is nothing more for now: the next record will have this offset or a later one.
    End(u64),
    /// Something went wrong.
    Failed(Refusal),
}

/// Partitions being read by one client.
pub(crate) struct Fetcher {
    client: Handle,
    fetches: Vec<Fetch>,
    messages: Vec<*mut rd_kafka_message_t>,
    headers: Vec<u8>,
}

/// One partition. The pointer is owned: [`Fetcher`]'s `Drop` gives it back.
struct Fetch {
    topic: *mut rd_kafka_topic_t,
    partition: i32,
}

// SAFETY: librdkafka's handles may be used from any thread; the pointers have no other owner.
unsafe impl Send for Fetcher {}

impl Fetcher {
    pub(crate) fn new(client: Handle) -> Fetcher {
        let messages = vec![ptr::null_mut(); MESSAGES_MAX];
        Fetcher { client, fetches: Vec::new(), messages, headers: Vec::new() }
    }

    /// Takes the client's news.
    pub(crate) fn serve(&self) {
        self.client.context().serve(&self.client);
    }

    /// Begins to read a partition, which this client does not read yet. Returns its number.
    pub(crate) fn start(
        &mut self,
        topic: &str,
        partition: u32,
        offset: u64,
    ) -> Result<usize, Refusal> {
        let name = c_string(topic)?;
        // SAFETY: the client is alive and the name is a C string; without settings of its own the
        // topic takes the client's. The pointer goes to a `Fetch`, which gives it back.
        let topic = unsafe {
            rd_kafka_topic_new(self.client.client().native_ptr(), name.as_ptr(), ptr::null_mut())
        };
        if topic.is_null() {
            return Err(last_error());
        }
        self.fetches.push(Fetch { topic, partition: number(partition)? });
        let slot = self.fetches.len() - 1;
        self.restart(slot, offset)?;
        Ok(slot)
    }

    /// Reads on from another offset; what was fetched before is forgotten.
    pub(crate) fn restart(&mut self, slot: usize, offset: u64) -> Result<(), Refusal> {
        let fetch = &self.fetches[slot];
        let offset = i64::try_from(offset).map_err(|_| Refusal::invalid("an offset above 2^63"))?;
        // SAFETY: the topic is alive as long as its `Fetch`.
        match unsafe { rd_kafka_consume_start(fetch.topic, fetch.partition, offset) } {
            0 => Ok(()),
            _ => Err(last_error()),
        }
    }

    /// Takes what has come for a partition, a thousand messages at most, in order. Does not wait.
    /// Returns how many there were.
    pub(crate) fn take(&mut self, slot: usize, mut each: impl FnMut(Taken<'_>)) -> usize {
        let Fetcher { fetches, messages, headers, .. } = self;
        let fetch = &fetches[slot];
        // SAFETY: the topic is alive, and there is room for as many pointers as are announced.
        let count = unsafe {
            rd_kafka_consume_batch(
                fetch.topic,
                fetch.partition,
                0,
                messages.as_mut_ptr(),
                messages.len(),
            )
        };
        // Below zero: librdkafka does not know the partition, which cannot be after a start.
        let count = usize::try_from(count).unwrap_or(0).min(messages.len());
        let taken = Messages(&messages[..count]);
        for message in taken.0 {
            // SAFETY: `Messages` owns the message until it goes, at the end of this function.
            let message = unsafe { &**message };
            each(read(message, headers));
        }
        count
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        for fetch in &self.fetches {
            // SAFETY: the client, a field, is dropped after this; each topic is given back once.
            unsafe {
                rd_kafka_consume_stop(fetch.topic, fetch.partition);
                rd_kafka_topic_destroy(fetch.topic);
            }
        }
    }
}

/// Messages that are given back, whatever happens to whoever reads them.
struct Messages<'a>(&'a [*mut rd_kafka_message_t]);

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        for message in self.0 {
            // SAFETY: librdkafka gave it to us, and nobody else gives it back.
            unsafe { rd_kafka_message_destroy(*message) };
        }
    }
}

/// What a message says.
fn read<'a>(message: &'a rd_kafka_message_t, scratch: &'a mut Vec<u8>) -> Taken<'a> {
    let offset = u64::try_from(message.offset).unwrap_or(0);
    match message.err {
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => return Taken::End(offset),
        code => {
            // SAFETY: the text is part of the message, and is copied.
            let reason = unsafe { text(rd_kafka_message_errstr(message)) };
            return Taken::Failed(Refusal { code: code.into(), reason });
        }
    }
    read_headers(message, scratch);
    let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: both belong to a message that is alive; a message's bytes live as long as it.
    let (time, key, value) = unsafe {
        (
            rd_kafka_message_timestamp(message, &mut kind),
            bytes(message.key, message.key_len),
            bytes(message.payload, message.len),
        )
    };
    Taken::Record { offset, time, key, value, headers: Headers::new(scratch) }
}

/// Encodes a message's headers as a batch has them.
fn read_headers(message: &rd_kafka_message_t, into: &mut Vec<u8>) {
    into.clear();
    let mut headers = ptr::null_mut();
    // SAFETY: the message is alive and keeps its headers.
    let found = unsafe { rd_kafka_message_headers(message, &mut headers) };
    if found != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return; // It has none.
    }
    for index in 0.. {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: what comes back is part of the message, and is copied before it goes.
        unsafe {
            let found = rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
            if found != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return; // That was the last.
            }
            let name = CStr::from_ptr(name).to_string_lossy();
            Headers::encode(into, &name, bytes(value, size).unwrap_or_default());
        }
    }
}

/// Nothing, or what went wrong.
///
/// # Safety
/// As [`text`], for the reason.
unsafe fn fine(code: rd_kafka_resp_err_t, reason: *const c_char) -> Result<(), Refusal> {
    if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: what the caller owes.
    Err(Refusal { code: code.into(), reason: unsafe { text(reason) } })
}

/// Why the last call of this thread failed.
fn last_error() -> Refusal {
    // SAFETY: it reads a number of this thread's.
    let code = unsafe { rd_kafka_last_error() };
    Refusal { code: code.into(), reason: String::new() }
}

fn c_string(text: &str) -> Result<CString, Refusal> {
    CString::new(text).map_err(|_| Refusal::invalid("a name with a zero byte in it"))
}

fn number(partition: u32) -> Result<i32, Refusal> {
    i32::try_from(partition).map_err(|_| Refusal::invalid("a partition above 2^31"))
}

/// A text of librdkafka's, copied. Empty when there is none.
///
/// # Safety
/// It is null, or ends with a zero byte.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: what the caller owes.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Bytes of librdkafka's.
///
/// # Safety
/// They are null, or as many as announced, and live as long as what they are lent for.
unsafe fn bytes<'a, T>(pointer: *const T, length: usize) -> Option<&'a [u8]> {
    // SAFETY: what the caller owes.
    (!pointer.is_null()).then(|| unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

/// A list of librdkafka's.
///
/// # Safety
/// As [`bytes`].
unsafe fn list<'a, T>(pointer: *const T, length: usize) -> &'a [T] {
    if pointer.is_null() {
        return &[];
    }
    // SAFETY: what the caller owes.
    unsafe { slice::from_raw_parts(pointer, length) }
}
