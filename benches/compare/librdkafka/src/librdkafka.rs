//! A producer: the few functions of librdkafka's C interface that it takes.
//!
//! The C functions are called directly, because the Rust wrapper's `poll`
//! always waits for its whole timeout, where the C one returns when something
//! was delivered; that would be measured instead of librdkafka.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use rdkafka_sys as sys;

/// Room for a reason in words.
const REASON_BYTES: usize = 512;

/// `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const ANY_PARTITION: i32 = -1;

/// What has become of messages since the last look.
#[derive(Default)]
pub struct Reports {
    /// For each message delivered, the number it was sent with.
    pub delivered: Vec<usize>,
    /// Messages that were not, and why the first of them was not.
    pub failed: u64,
    pub first_failure: Option<String>,
}

/// An idempotent producer to one topic, to be used by one thread.
pub struct Producer {
    handle: *mut sys::rd_kafka_t,
    topic: *mut sys::rd_kafka_topic_t,
    /// The delivery callback writes here while `poll` runs, and never else:
    /// librdkafka calls it from within `rd_kafka_poll` only.
    reports: *mut Reports,
}

impl Producer {
    /// A producer with these settings, to `topic`.
    ///
    /// # Errors
    /// What librdkafka has against a setting.
    pub fn new(settings: &[(&str, String)], topic: &str) -> Result<Self, String> {
        let mut reason = [0 as c_char; REASON_BYTES];
        // SAFETY: the configuration is made here and belongs to librdkafka from
        // rd_kafka_new on, which does not fail with settings that were taken;
        // strings live through the calls, `reason` is as long as told, and the
        // reports live until the handle is destroyed.
        unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (name, value) in settings {
                let (name, value) = (c_string(name)?, c_string(value)?);
                let at = reason.as_mut_ptr();
                let set =
                    sys::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), at, REASON_BYTES);
                if set != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    sys::rd_kafka_conf_destroy(conf);
                    return Err(text(reason.as_ptr()));
                }
            }
            let reports = Box::into_raw(Box::<Reports>::default());
            sys::rd_kafka_conf_set_opaque(conf, reports.cast());
            sys::rd_kafka_conf_set_dr_msg_cb(conf, Some(note_report));
            let kind = sys::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            let handle = sys::rd_kafka_new(kind, conf, reason.as_mut_ptr(), REASON_BYTES);
            if handle.is_null() {
                drop(Box::from_raw(reports));
                return Err(text(reason.as_ptr()));
            }
            let topic = c_string(topic)?;
            let topic = sys::rd_kafka_topic_new(handle, topic.as_ptr(), ptr::null_mut());
            Ok(Self {
                handle,
                topic,
                reports,
            })
        }
    }

    /// Queues a message, of which librdkafka keeps a copy; its report will come
    /// with `number`. False if the queue is full.
    ///
    /// # Errors
    /// Any other reason not to take it.
    pub fn send(&self, key: &[u8], value: &[u8], number: usize) -> Result<bool, String> {
        // SAFETY: key and value are copied within the call; the opaque pointer
        // is a number that nobody follows.
        let refused = unsafe {
            sys::rd_kafka_produce(
                self.topic,
                ANY_PARTITION,
                sys::RD_KAFKA_MSG_F_COPY,
                value.as_ptr().cast_mut().cast(),
                value.len(),
                key.as_ptr().cast(),
                key.len(),
                number as *mut c_void,
            ) != 0
        };
        if !refused {
            return Ok(true);
        }
        // SAFETY: both only read what librdkafka holds.
        unsafe {
            match sys::rd_kafka_last_error() {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL => Ok(false),
                error => Err(text(sys::rd_kafka_err2str(error))),
            }
        }
    }

    /// Waits until there are reports, at most so long, and takes them.
    pub fn poll(&mut self, millis: i32) -> Reports {
        // SAFETY: the callback runs within this call, on this thread; after it
        // nobody but us has the reports.
        unsafe {
            sys::rd_kafka_poll(self.handle, millis);
            std::mem::take(&mut *self.reports)
        }
    }

    /// Messages without a report.
    pub fn outstanding(&self) -> usize {
        // SAFETY: reads a counter.
        let queued = unsafe { sys::rd_kafka_outq_len(self.handle) };
        usize::try_from(queued).unwrap_or(0)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // SAFETY: nothing uses handle, topic or reports any more; no callback
        // runs once the handle is destroyed.
        unsafe {
            sys::rd_kafka_topic_destroy(self.topic);
            sys::rd_kafka_destroy(self.handle);
            drop(Box::from_raw(self.reports));
        }
    }
}

/// Called by librdkafka for each message.
unsafe extern "C" fn note_report(
    _: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    reports: *mut c_void,
) {
    // SAFETY: librdkafka hands us a message that lives through the call, and
    // the pointer that was set in `new`; `poll` looks at it only afterwards.
    unsafe {
        let reports = &mut *reports.cast::<Reports>();
        let error = (*message).err;
        if error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            reports.delivered.push((*message)._private as usize);
        } else {
            reports.failed += 1;
            let reason = || text(sys::rd_kafka_err2str(error));
            reports.first_failure.get_or_insert_with(reason);
        }
    }
}

/// librdkafka's version.
pub fn version() -> String {
    // SAFETY: a constant string.
    unsafe { text(sys::rd_kafka_version_str()) }
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("expected text without NUL, got {text:?}"))
}

/// # Safety
/// `text` has to be a C string.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}
