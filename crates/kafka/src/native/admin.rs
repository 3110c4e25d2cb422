//! Questions to the brokers: what topics are, how they are kept, what this user may do with them,
//! and the making of new ones.

use std::{
    ffi::{CString, c_char, c_int},
    ptr,
    time::{Duration, Instant},
};

use rdkafka::{bindings::*, consumer::Consumer, error::RDKafkaErrorCode};

use super::{Handle, c_string, fine, list, number, text};
use crate::{Right, failure::Refusal};

/// How long an answer is waited for before the client's own news are looked at.
const SLICE_MS: c_int = 20;

/// What is known of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Its identity.
    pub(crate) id: u128,
    /// For each partition, whether somebody leads it.
    pub(crate) led: Vec<bool>,
    /// What this user may do with it, where that was asked for.
    pub(crate) rights: Vec<Right>,
}

/// Asks for topics, which must all be different. Answers come in the order of the names.
pub(crate) fn describe(
    client: &Handle,
    topics: &[&str],
    with_rights: bool,
    timeout: Duration,
) -> Result<Vec<Result<Described, Refusal>>, Refusal> {
    let names: Result<Vec<CString>, Refusal> = topics.iter().map(|topic| c_string(topic)).collect();
    let names = names?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let answer = ask(client, timeout, |rk, options, queue| {
        // SAFETY: the names outlive both calls, which copy them; the collection is given back.
        unsafe {
            include_rights(options, with_rights);
            let asked =
                rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            rd_kafka_DescribeTopics(rk, asked, options, queue);
            rd_kafka_TopicCollection_destroy(asked);
        }
    })?;
    let mut described = Vec::with_capacity(topics.len());
    // SAFETY: all that is read here is part of the answer, which lives to the end of the function.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(answer.0);
        let mut count = 0;
        let of = rd_kafka_DescribeTopics_result_topics;
        let found = if result.is_null() { ptr::null_mut() } else { of(result, &mut count) };
        for topic in list(found, count) {
            let error = rd_kafka_TopicDescription_error(*topic);
            let reason = rd_kafka_error_string(error);
            if let Err(refusal) = fine(rd_kafka_error_code(error), reason) {
                described.push(Err(refusal));
                continue;
            }
            let id = rd_kafka_TopicDescription_topic_id(*topic);
            let (high, low) = (
                rd_kafka_Uuid_most_significant_bits(id) as u64,
                rd_kafka_Uuid_least_significant_bits(id) as u64,
            );
            let mut count = 0;
            let partitions = rd_kafka_TopicDescription_partitions(*topic, &mut count);
            let led = list(partitions, count)
                .iter()
                .map(|partition| !rd_kafka_TopicPartitionInfo_leader(*partition).is_null())
                .collect();
            let mut count = 0;
            let rights = rd_kafka_TopicDescription_authorized_operations(*topic, &mut count);
            let rights = rights_of(list(rights, count));
            let id = u128::from(high) << 64 | u128::from(low);
            described.push(Ok(Described { id, led, rights }));
        }
    }
    match described.len() == topics.len() {
        true => Ok(described),
        false => Err(Refusal::invalid("an answer that is not about the topics asked for")),
    }
}

/// Asks what this user may do with a consumer group, whether it is there or not.
pub(crate) fn group_rights(
    client: &Handle,
    group: &str,
    timeout: Duration,
) -> Result<Vec<Right>, Refusal> {
    let name = c_string(group)?;
    let mut pointer = name.as_ptr();
    let answer = ask(client, timeout, |rk, options, queue| {
        // SAFETY: the name outlives the call, which copies it.
        unsafe {
            include_rights(options, true);
            rd_kafka_DescribeConsumerGroups(rk, &mut pointer, 1, options, queue);
        }
    })?;
    let mut rights = Vec::new();
    // SAFETY: all that is read here is part of the answer, which lives to the end of the function.
    unsafe {
        let result = rd_kafka_event_DescribeConsumerGroups_result(answer.0);
        let mut count = 0;
        let of = rd_kafka_DescribeConsumerGroups_result_groups;
        let found = if result.is_null() { ptr::null_mut() } else { of(result, &mut count) };
        for group in list(found, count) {
            let error = rd_kafka_ConsumerGroupDescription_error(*group);
            fine(rd_kafka_error_code(error), rd_kafka_error_string(error))?;
            let mut count = 0;
            let may = rd_kafka_ConsumerGroupDescription_authorized_operations(*group, &mut count);
            rights.extend(rights_of(list(may, count)));
        }
    }
    Ok(rights)
}

/// Has the brokers say what this user may do.
///
/// # Safety
/// The options are alive.
unsafe fn include_rights(options: *mut rd_kafka_AdminOptions_t, include: bool) {
    // SAFETY: what the caller owes; an error, which only an older client gives, is given back.
    unsafe {
        let set = rd_kafka_AdminOptions_set_include_authorized_operations;
        let error = set(options, include.into());
        if !error.is_null() {
            rd_kafka_error_destroy(error);
        }
    }
}

/// The rights that are asked after here.
fn rights_of(operations: &[rd_kafka_AclOperation_t]) -> Vec<Right> {
    use rd_kafka_AclOperation_t as Operation;
    let right = |operation: &Operation| match operation {
        Operation::RD_KAFKA_ACL_OPERATION_READ => Some(Right::Read),
        Operation::RD_KAFKA_ACL_OPERATION_WRITE => Some(Right::Write),
        Operation::RD_KAFKA_ACL_OPERATION_CREATE => Some(Right::Create),
        Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE => Some(Right::Describe),
        Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS => Some(Right::DescribeConfigs),
        _ => None,
    };
    operations.iter().filter_map(right).collect()
}

/// Asks for a topic's settings: names and values.
pub(crate) fn configs(
    client: &Handle,
    topic: &str,
    timeout: Duration,
) -> Result<Vec<(String, String)>, Refusal> {
    let name = c_string(topic)?;
    let answer = ask(client, timeout, |rk, options, queue| {
        // SAFETY: the name and the resource outlive the calls, which copy; it is given back.
        unsafe {
            let kind = rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let mut resource = rd_kafka_ConfigResource_new(kind, name.as_ptr());
            rd_kafka_DescribeConfigs(rk, &mut resource, 1, options, queue);
            rd_kafka_ConfigResource_destroy(resource);
        }
    })?;
    let mut configs = Vec::new();
    // SAFETY: all that is read here is part of the answer, which lives to the end of the function.
    unsafe {
        let result = rd_kafka_event_DescribeConfigs_result(answer.0);
        let mut count = 0;
        let of = rd_kafka_DescribeConfigs_result_resources;
        let found = if result.is_null() { ptr::null_mut() } else { of(result, &mut count) };
        for resource in list(found, count) {
            let reason = rd_kafka_ConfigResource_error_string(*resource);
            fine(rd_kafka_ConfigResource_error(*resource), reason)?;
            let mut count = 0;
            let entries = rd_kafka_ConfigResource_configs(*resource, &mut count);
            for entry in list(entries, count) {
                let value = rd_kafka_ConfigEntry_value(*entry);
                configs.push((text(rd_kafka_ConfigEntry_name(*entry)), text(value)));
            }
        }
    }
    Ok(configs)
}

/// Makes a topic, with as many copies as the cluster has by default; with `for_show` the broker
/// only says whether it would.
pub(crate) fn create(
    client: &Handle,
    topic: &str,
    partitions: u32,
    configs: &[(&str, &str)],
    for_show: bool,
    timeout: Duration,
) -> Result<(), Refusal> {
    let topic = NewTopic::new(topic, partitions, configs)?;
    let mut pointer = topic.0;
    let answer = ask(client, timeout, |rk, options, queue| {
        let mut why = [0; 512];
        let set = rd_kafka_AdminOptions_set_validate_only;
        // SAFETY: the options are alive, and there is as much room for a reason as is announced;
        // the topic outlives the call, which copies it.
        unsafe {
            set(options, for_show.into(), why.as_mut_ptr(), why.len());
            rd_kafka_CreateTopics(rk, &mut pointer, 1, options, queue);
        }
    })?;
    // SAFETY: all that is read here is part of the answer, which lives to the end of the function.
    unsafe {
        let result = rd_kafka_event_CreateTopics_result(answer.0);
        let mut count = 0;
        let of = rd_kafka_CreateTopics_result_topics;
        let found = if result.is_null() { ptr::null_mut() } else { of(result, &mut count) };
        for topic in list(found, count) {
            let reason = rd_kafka_topic_result_error_string(*topic);
            fine(rd_kafka_topic_result_error(*topic), reason)?;
        }
    }
    Ok(())
}

/// A topic to be made.
struct NewTopic(*mut rd_kafka_NewTopic_t);

impl NewTopic {
    fn new(name: &str, partitions: u32, configs: &[(&str, &str)]) -> Result<NewTopic, Refusal> {
        let (name, partitions) = (c_string(name)?, number(partitions)?);
        let mut why = [0; 512];
        // SAFETY: the name is a C string, and there is as much room for a reason as is announced.
        let topic = unsafe {
            rd_kafka_NewTopic_new(name.as_ptr(), partitions, -1, why.as_mut_ptr(), why.len())
        };
        if topic.is_null() {
            // SAFETY: librdkafka ends the reason with a zero byte.
            return Err(Refusal::invalid(&unsafe { text(why.as_ptr()) }));
        }
        let topic = NewTopic(topic);
        for (name, value) in configs {
            let (name, value) = (c_string(name)?, c_string(value)?);
            // SAFETY: the topic is alive, and both texts are copied.
            let set =
                unsafe { rd_kafka_NewTopic_set_config(topic.0, name.as_ptr(), value.as_ptr()) };
            // SAFETY: there is no reason.
            unsafe { fine(set, ptr::null()) }?;
        }
        Ok(topic)
    }
}

impl Drop for NewTopic {
    fn drop(&mut self) {
        // SAFETY: it was made in `new`, and has no other owner.
        unsafe { rd_kafka_NewTopic_destroy(self.0) };
    }
}

/// An answer. Never null.
struct Answer(*mut rd_kafka_event_t);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: it came out of a queue, and has no other owner.
        unsafe { rd_kafka_event_destroy(self.0) };
    }
}

/// A queue for one answer.
struct Queue(*mut rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it was made in `ask`; librdkafka keeps its own hold of it while it needs it.
        unsafe { rd_kafka_queue_destroy(self.0) };
    }
}

/// Sends a question and waits for its answer. Ends early when the client was turned away.
fn ask(
    client: &Handle,
    timeout: Duration,
    submit: impl FnOnce(*mut rd_kafka_t, *mut rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
) -> Result<Answer, Refusal> {
    let (began, rk) = (Instant::now(), client.client().native_ptr());
    let milliseconds = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let mut why = [0; 512];
    // SAFETY: the client is alive; the options are given back when the question is sent, and the
    // queue when its owner goes.
    let queue = unsafe {
        let queue = Queue(rd_kafka_queue_new(rk));
        let options = rd_kafka_AdminOptions_new(rk, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ANY);
        let set = rd_kafka_AdminOptions_set_request_timeout;
        set(options, milliseconds, why.as_mut_ptr(), why.len());
        submit(rk, options, queue.0);
        rd_kafka_AdminOptions_destroy(options);
        queue
    };
    loop {
        // SAFETY: the queue is alive; what comes out of it is ours, and goes to an `Answer`.
        let event = unsafe { rd_kafka_queue_poll(queue.0, SLICE_MS) };
        client.context().serve(client);
        if !event.is_null() {
            let answer = Answer(event);
            // SAFETY: the answer is alive, and its text is copied.
            unsafe { fine(rd_kafka_event_error(event), rd_kafka_event_error_string(event)) }?;
            return Ok(answer);
        }
        if let Some(refusal) = client.context().turned_away_since(began) {
            return Err(refusal);
        }
        if began.elapsed() > timeout + Duration::from_secs(1) {
            let code = RDKafkaErrorCode::OperationTimedOut;
            return Err(Refusal { code, reason: String::new() });
        }
    }
}
